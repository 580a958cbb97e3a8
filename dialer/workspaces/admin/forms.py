"""Forms whose last check is the verb itself."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from unfold.widgets import UnfoldAdminPasswordWidget

from dialer.workspaces.admin.base import ScopedAdmin, names_in, workspaces_of
from dialer.workspaces.admin.shown_once import ShownOnce, shown_once
from dialer.workspaces.admin.verbs import actor_of
from dialer.workspaces.clock import database_now


class SecretField(forms.CharField):
    """A field for a secret, which browsers must not fill in with a stored password."""

    def __init__(self, *, help_text: str, label: str | None = None) -> None:
        widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})
        super().__init__(required=False, strip=False, widget=widget, label=label, help_text=help_text)


class WriteForm(forms.ModelForm):  # type: ignore[type-arg] # Django has no [] at run time
    """Saves by calling a verb as the last step of validation, so that the verb's errors show beside their fields.

    The page is one transaction, so a later failure rolls the verb back.
    """

    invalid: ClassVar[tuple[type[Exception], ...]] = ()
    """Exceptions with an attribute ``errors``: reasons by the verb's field names."""
    names: ClassVar[Mapping[str, str]] = {}
    """The form's field names by the verb's, if they differ."""
    request: ClassVar[HttpRequest]
    page: "ClassVar[WritingAdmin]"
    secret: ShownOnce | None = None
    """What the page shows once after it has saved."""

    def write(self, about: Mapping[str, Any]) -> Model:
        """Call the verb with the input; ``about`` is who acts, and when."""
        raise NotImplementedError

    @property
    def is_new(self) -> bool:
        return bool(self.instance._state.adding)  # noqa: SLF001 — Django's documented way to tell

    def _post_clean(self) -> None:
        if self.errors:
            return
        try:
            with transaction.atomic():
                self.instance = self.write({"actor": actor_of(self.request), "now": database_now()})
        except self.invalid as refused:
            for name, reasons in refused.errors.items():  # type: ignore[attr-defined]
                self._say(name, reasons)
        except self.page.refusal_kinds() as refused:
            self.add_error(None, f"{self.page.refusal(refused)}.")

    def _say(self, name: str, reasons: list[str]) -> None:
        """Show the error beside a field: for the path ``schedule.days.1``, that of its longest known prefix."""
        parts = name.split(".")
        for size in range(len(parts), 0, -1):
            path = ".".join(parts[:size])
            field = self.names.get(path, path)
            if field in self.fields:
                rest = " ".join(parts[size:])
                self.add_error(field, [f"{rest} {reason}".strip() for reason in reasons])
                return
        self.add_error(None, [f"{name}: {reason}" for reason in reasons])


class WritingAdmin(ScopedAdmin):
    """Rows that a form creates and changes by calling verbs; nobody deletes them by hand."""

    form = WriteForm
    warn_unsaved_form = True

    def changeform_view(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        if request.method == "POST":
            self.before_transaction(request)
        page: HttpResponse = super().changeform_view(request, *args, **options)
        return page

    def before_transaction(self, request: HttpRequest) -> None:
        """Run slow checks, such as name look-ups, before Django opens the page's transaction."""

    def get_form(self, request: HttpRequest, obj: Model | None = None, **options: object) -> type[WriteForm]:
        form = super().get_form(request, obj, **options)
        return type(form.__name__, (form,), {"request": request, "page": self})

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Sequence[str]:  # noqa: ARG002
        return tuple(self.readonly_fields) if obj is None else ("workspace", *self.readonly_fields)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        mine = [workspace for workspace in workspaces_of(request) if self.allows(request, "add", workspace)]
        if len(mine) == 1:
            initial.setdefault("workspace", mine[0].pk)
        return initial

    def save_model(self, request: HttpRequest, obj: Model, form: object, change: object) -> None:  # noqa: ARG002 — Django's signature
        """Keep only the form's secret for the answer: the form's verb has saved the row."""
        assert isinstance(form, WriteForm)
        request.shown_once = form.secret  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: Model, post_url_continue: str | None = None) -> HttpResponse:
        answer: HttpResponse = super().response_add(request, obj, post_url_continue)
        return self._with_secret(request, obj, answer)

    def response_change(self, request: HttpRequest, obj: Model) -> HttpResponse:
        answer: HttpResponse = super().response_change(request, obj)
        return self._with_secret(request, obj, answer)

    def _with_secret(self, request: HttpRequest, obj: Model, answer: HttpResponse) -> HttpResponse:
        secret: ShownOnce | None = getattr(request, "shown_once", None)
        return answer if secret is None else shown_once(request, secret, then=self.url_of("change", obj.pk))

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002 — Django's signature
        return False


class MadeOnceAdmin(WritingAdmin):
    """Rows that a form creates and nobody changes."""

    asked: ClassVar[Sequence[str]]
    """Fields of the form."""
    shown: ClassVar[Sequence[str | Sequence[str]]]
    """Fields of an existing row, some of them grouped."""

    def get_fields(self, request: HttpRequest, obj: object = None) -> Sequence[str | Sequence[str]]:  # noqa: ARG002 — Django's signature
        return self.asked if obj is None else self.shown

    def get_readonly_fields(self, request: HttpRequest, obj: object = None) -> Sequence[str]:  # noqa: ARG002
        return () if obj is None else names_in(self.shown)

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002 — Django's signature
        return False
