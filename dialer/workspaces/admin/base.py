"""What all pages of the operator have in common: the door, who acts, verbs as buttons, notices that count.

A page translates and calls one verb. What the verb refuses is said in words (``refusals``): beside the form that was
filled in, or counted where many rows were meant.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial, wraps
from typing import Any, ClassVar, TypeVar

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db.models import ForeignKey, Model, QuerySet
from django.forms import ModelChoiceField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.paginator import InfinitePaginator
from unfold.utils import display_for_label
from unfold.widgets import UnfoldAdminTextInputWidget

from dialer.workspaces.audit import About, Actor
from dialer.workspaces.clock import database_now
from dialer.workspaces.ids import MalformedId, parse_public_id
from dialer.workspaces.models import Owned, Workspace
from dialer.workspaces.scoping import OwnedQuerySet
from dialer.workspaces.transitions import TransitionConflict

_Row = TypeVar("_Row", bound=Model)
_Shows = TypeVar("_Shows", bound=Callable[..., Any])

Refusals = Mapping[type[Exception], Callable[[Any], str]]
"""How to say in a sentence, without the full stop, why a verb refused."""

_MOST_COUNTED = 10_000
_AT_ONCE = 500
"""Rows that one bulk action takes; a page shows fewer."""


def actor_of(request: HttpRequest) -> Actor:
    """Return the user as the actor of audit entries."""
    user = request.user
    assert isinstance(user, AbstractBaseUser)
    return Actor(kind="user", id=str(user.pk), label=user.get_username())


def about(request: HttpRequest, row: Owned, form: "ReasonForm | None" = None) -> dict[str, Any]:
    """Return what every verb is told of a row: in whose workspace, who acts, when, and why if a form asked for that."""
    told = About(workspace_id=row.workspace_id, actor=actor_of(request), now=database_now())
    return {**told} if form is None else {**told, "reason": form.cleaned_data["reason"]}


def workspaces_of(request: HttpRequest) -> Sequence[Workspace]:
    """Return the open workspaces that the user sees, read once per request."""
    known: Sequence[Workspace] | None = getattr(request, "_workspaces_seen", None)
    if known is None:
        known = list(Workspace.objects.visible_to(request.user).filter(closed_at=None).order_by("name", "id"))
        request._workspaces_seen = known  # type: ignore[attr-defined]  # noqa: SLF001 — kept with the request it is of
    return known


def its_own_words(raised: Exception) -> str:
    """Take what the error says for the sentence."""
    return str(raised).strip(". ")


class VerbForm(BaseDialogForm):  # type: ignore[misc] # unfold has no types
    """What a verb asks for; it stays open, with the reason on top, where the verb refuses."""

    form_before_template = "workspaces/admin/verb_form_top.html"
    dialog: ClassVar[dict[str, Any]]

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        self.refused = ""

    def get_before_template_context(self, request: HttpRequest, object_id: object = None) -> dict[str, Any]:  # noqa: ARG002 — unfold's signature
        return {"form": self, "facts": self.facts()}

    def facts(self) -> Sequence[tuple[str, str]]:
        """Return what the operator should see while filling in: pairs of a name and a text."""
        return ()


class ReasonForm(VerbForm):
    """Why, for the audit."""

    reason = forms.CharField(required=False, max_length=500, widget=UnfoldAdminTextInputWidget)


def button(
    title: str,
    *,
    asks: str,
    does: str,
    icon: str,
    permission: str = "change",
    form: type[Any] | None = None,
    variant: ActionVariant | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., HttpResponse]]:
    """Make a method a button on a row or its page that opens a dialog, and does its work by POST only."""
    dialog = {"title": title, "description": asks, "form_class": form, "form_submit_text": does}

    def decorate(method: Callable[..., Any]) -> Callable[..., HttpResponse]:
        @wraps(method)
        def asked(self: object, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
            form.dialog = dialog
            answer: HttpResponse = method(self, request, form, object_id)
            return answer

        decorated: Callable[..., HttpResponse] = action(
            description=title, icon=icon, permissions=[permission], dialog=dialog, variant=variant, url_path=None
        )(asked)
        return decorated

    return decorate


def verb(
    title: str, *, then: str = "", form: type[Any] | None = None, **looks: Any
) -> Callable[[Callable[..., str]], Callable[..., HttpResponse]]:
    """Make a method that does a verb to one row, and says what came of it, a :func:`button`.

    It is given the form only where there is one. ``then`` names the page to go to if the row is gone afterwards.
    """

    def decorate(method: Callable[..., str]) -> Callable[..., HttpResponse]:
        @wraps(method)
        def done(self: "ScopedAdmin", request: HttpRequest, filled_in: BaseDialogForm, object_id: str) -> HttpResponse:
            given = () if form is None else (filled_in,)
            do = partial(method, self, request, *given)
            return self.act(request, object_id, do, form=filled_in, then=self.url_of(then) if then else "")

        return button(title, form=form, **looks)(done)

    return decorate


def bulk(
    title: str, *, asks: str, does: str, did: str, form: type[VerbForm] = VerbForm, permission: str = "act"
) -> Callable[[Callable[..., Any]], Callable[..., HttpResponse | None]]:
    """Make a method that does a verb to one row an action on the rows ticked, asked for on a page of its own.

    ``did`` ends the notice "7 …".
    """

    def decorate(method: Callable[..., Any]) -> Callable[..., HttpResponse | None]:
        @wraps(method)
        def asked(self: "ScopedAdmin", request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:  # noqa: ARG001
            ids = request.POST.getlist(ACTION_CHECKBOX_NAME)[:_AT_ONCE]
            everything = self.all_matching(request, method.__name__)
            filled_in = form(data=request.POST if "_form_submitted" in request.POST else None, request=request)
            if not filled_in.is_valid():
                asking = {
                    **self.admin_site.each_context(request),
                    "title": title,
                    "asks": asks,
                    "does": does,
                    "form": filled_in,
                    "opts": self.opts,
                    "action": method.__name__,
                    "checkbox": ACTION_CHECKBOX_NAME,
                    "ids": ids,
                    "back": request.get_full_path(),
                    "matching": None if everything is None else self.counted(everything),
                }
                return TemplateResponse(request, "workspaces/admin/bulk.html", asking)
            is_dry_run = bool(request.POST.get("_dry_run"))
            wants_all = bool(request.POST.get("_all_matching"))
            if everything is not None and (wants_all or is_dry_run):
                meant = everything if wants_all else everything.filter(pk__in=ids)
                return self.do_as_job(request, method.__name__, filled_in, meant, dry_run=is_dry_run)
            # Not the rows of the filtered list: one that left it meanwhile is counted as refused, not passed over.
            rows = self.get_queryset(request).filter(pk__in=ids)
            self.do_to_each(request, rows, lambda row: method(self, request, filled_in, row), did=did)
            return None

        decorated: Callable[..., HttpResponse | None] = action(description=title, permissions=[permission])(asked)
        return decorated

    return decorate


class _Lines(list[str]):
    """Two lines: a list for unfold's columns, and HTML for its read-only fields, which know no headers."""

    def __html__(self) -> str:
        return format_html_join(mark_safe("<br>"), "{}", ((line,) for line in self if line))


class _Badge(tuple[str, str]):  # noqa: SLOT001 — a tuple has no room for slots
    """A kind and a text: a tuple for unfold's columns, and HTML for its read-only fields, which know no labels."""

    colours: Mapping[str, str]

    def __html__(self) -> str:
        return str(display_for_label(tuple(self), "-", self.colours)) if self[1] else ""


def column(
    title: str, *, label: dict[str, str] | None = None, ordering: str | None = None, header: bool = False
) -> Callable[[_Shows], _Shows]:
    """Make a method a column or read-only field.

    ``label`` gives its words (or the first of a pair, of which the second is shown) the colours of badges; ``header``
    shows a list as two lines.
    """

    def decorate(method: _Shows) -> _Shows:
        @wraps(method)
        def shown(self: object, row: object) -> object:
            value = method(self, row)
            if header:
                return _Lines(value)
            if label is not None:
                badge = _Badge(value if isinstance(value, tuple) else (value, value))
                badge.colours = label
                return badge
            return value

        kind = display(description=title, label=label, ordering=ordering, header=header or None)
        decorated: _Shows = kind(shown)
        return decorated

    return decorate


class ScopedAdmin(ModelAdmin):  # type: ignore[misc] # unfold has no types
    """Shows the rows of the user's workspaces and no others, page by page without counting them."""

    show_full_result_count = False
    paginator = InfinitePaginator
    list_per_page = 50
    list_disable_select_all = True  # an action is done to the rows that are ticked, not to a table of any size
    actions_on_top = True
    id_prefixes: Mapping[str, str] = {"id": ""}
    """Searched by public id: each lookup with the prefix of its ids."""
    search_by_text = False
    """Whether what is no id is looked for in ``search_fields``; only where the table is small."""
    refusals: ClassVar[Refusals] = {}
    """What the verbs of this page raise, beside ``TransitionConflict``."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = self.model.objects.visible_to(request.user).order_by(*self.ordering)
        return rows

    def formfield_for_foreignkey(
        self,
        db_field: "ForeignKey[Any, Any]",
        request: HttpRequest,
        **options: object,
    ) -> ModelChoiceField[Any] | None:
        """Offer rows of the user's workspaces only, and none that is archived."""
        model = db_field.remote_field.model
        rows = model._default_manager.all()  # noqa: SLF001 — Django's documented interface
        if isinstance(rows, OwnedQuerySet):
            rows = rows.visible_to(request.user)
            if any(field.name == "archived_at" for field in model._meta.fields):  # noqa: SLF001
                rows = rows.filter(archived_at=None)
            options["queryset"] = rows
        field: ModelChoiceField[Any] | None = super().formfield_for_foreignkey(db_field, request, **options)
        return field

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[_Row], search_term: str
    ) -> tuple[QuerySet[_Row], bool]:
        wanted = search_term.strip()
        if not wanted:
            return queryset, False
        for lookup, prefix in self.id_prefixes.items():
            try:
                return queryset.filter(**{lookup: parse_public_id(prefix, wanted)}), False
            except MalformedId:
                continue
        if self.search_by_text:
            found: tuple[QuerySet[_Row], bool] = super().get_search_results(request, queryset, search_term)
            return found
        return self.search(request, queryset, wanted), False

    def search(self, request: HttpRequest, queryset: QuerySet[_Row], wanted: str) -> QuerySet[_Row]:  # noqa: ARG002
        """Find rows by a text that is no id, over an index."""
        return queryset.none()

    def beside(self, request: HttpRequest, row: Any) -> dict[str, Any]:  # noqa: ANN401, ARG002 — a row of the model; for those who have any
        """Return what the templates of the page show beside its form; without a row, of the page that makes one."""
        return {}

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Model | None = None, **options: Any
    ) -> HttpResponse:
        page: HttpResponse = super().render_change_form(
            request, context | self.beside(request, obj), *args, obj=obj, **options
        )
        return page

    def has_act_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002 — Django's signature
        """Tell whether the user may do the verbs of this page."""
        user: Any = request.user
        return bool(user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}"))

    def visible(self, request: HttpRequest, object_id: str) -> Any:  # noqa: ANN401 — a row of the model
        """Return the row; raises ``DoesNotExist`` where the user has no business with it."""
        key = self.model._meta.pk  # noqa: SLF001 — Django's documented interface
        try:
            return self.get_queryset(request).get(pk=key.to_python(object_id))
        except ValidationError as error:
            raise self.model.DoesNotExist from error

    def act(
        self,
        request: HttpRequest,
        object_id: str,
        do: Callable[[Any], str],
        *,
        form: BaseDialogForm | None = None,
        then: str = "",
    ) -> HttpResponse:
        """Do a verb to a row, tell what it said, and go back to where the button was.

        A refusal is shown in ``form``, which stays open; without one it is a notice. ``then`` is where to go if the
        row is gone afterwards.
        """
        try:
            said, level = do(self.visible(request, object_id)), messages.SUCCESS
        except self.model.DoesNotExist:
            said, level = "There is no such row any more.", messages.ERROR
        except self.refusal_kinds() as refused:
            if isinstance(form, VerbForm):
                return self.ask_again(request, form, form.dialog, refused)
            said, level = self._sentence(refused), messages.ERROR
        self.message_user(request, said, level)
        return go_to(request, (level == messages.SUCCESS and then) or self._where_from(request, object_id))

    def ask_again(
        self, request: HttpRequest, form: VerbForm, dialog: Mapping[str, Any], refused: Exception
    ) -> HttpResponse:
        """Show the dialog as it was filled in, with the reason for the refusal on top."""
        form.refused = self._sentence(refused)
        asked = {"dialog": dialog, "form": form, "form_submit_text": dialog["form_submit_text"]}
        return render(request, "unfold/helpers/dialog.html", asked)

    def _sentence(self, refused: Exception) -> str:
        text = self.refusal(refused)
        return f"{text[:1].upper()}{text[1:]}."

    def all_matching(self, request: HttpRequest, action: str) -> QuerySet[Any] | None:  # noqa: ARG002 — for those who can
        """Return all rows that the list shows with its filters, where an action can be done to them as a job."""
        return None

    def counted(self, rows: QuerySet[Any]) -> str:
        """Count rows for the eye, and no further than that: no page counts a big table."""
        count = rows[: _MOST_COUNTED + 1].count()
        return f"more than {_MOST_COUNTED:,}" if count > _MOST_COUNTED else f"{count:,}"

    def do_as_job(
        self,
        request: HttpRequest,
        action: str,
        form: VerbForm,
        rows: QuerySet[Any],
        *,
        dry_run: bool,
    ) -> HttpResponse:
        """Start a job that does the action to rows of :meth:`all_matching`, and lead to where it is followed."""
        raise NotImplementedError

    def do_to_each(self, request: HttpRequest, rows: Iterable[_Row], do: Callable[[_Row], object], *, did: str) -> None:
        """Do a verb to each row, and say how many changed and how many did not, and why."""
        done, refused = 0, Counter[str]()
        for row in rows:
            try:
                do(row)
                done += 1
            except self.model.DoesNotExist:
                refused["gone"] += 1
            except self.refusal_kinds() as conflict:
                refused[self.refusal(conflict, is_counted=True)] += 1
        said = [f"{done} {did}", *(f"{count} {reason}" for reason, count in refused.most_common())]
        level = messages.SUCCESS if not refused else messages.WARNING if done else messages.ERROR
        self.message_user(request, f"{', '.join(said)}.", level)

    def refusal(self, raised: Exception, *, is_counted: bool = False) -> str:
        """Say why a verb refused; counted rows are told together, so nothing of one row is in it."""
        if isinstance(raised, TransitionConflict) and is_counted:
            return f"already {raised.from_}"
        text = next(say(raised) for kind, say in self._all_refusals().items() if isinstance(raised, kind))
        return f"not: {text}" if is_counted else text

    def refusal_kinds(self) -> tuple[type[Exception], ...]:
        return tuple(self._all_refusals())

    def url_of(self, page: str, *arguments: object) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{page}", args=arguments)

    def _all_refusals(self) -> dict[type[Exception], Callable[[Any], str]]:
        return {TransitionConflict: its_own_words, **self.refusals}

    def _where_from(self, request: HttpRequest, object_id: str) -> str:
        """Return the list with its filters if the button was there, else the row's page."""
        listed = self.url_of("changelist")
        url = request.headers.get("HX-Current-URL", "")
        path = url.removeprefix(f"{request.scheme}://{request.get_host()}")
        return path if path.split("?")[0] == listed else self.url_of("change", object_id)


class StatefulAdmin(ScopedAdmin):
    """Offers the verbs that the state of a row allows; the verbs themselves refuse the rest."""

    def verbs_for(self, row: Any) -> Collection[str]:  # noqa: ANN401 — a row of the model
        raise NotImplementedError

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        row = self.get_object(request, str(object_id))
        offered = self.verbs_for(row) if row is not None else ()
        mine = f"{self.opts.app_label}_{self.opts.model_name}_"
        found: list[Any] = super().get_actions_detail(request, object_id)
        return [verb for verb in found if verb.action_name.removeprefix(mine) in offered]


class ReadOnlyAdmin(ScopedAdmin):
    """To be looked at; where rows change, they do so by verbs."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 — Django's signature
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        return False

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        user: Any = request.user
        return any(user.has_perm(f"{self.opts.app_label}.{verb}_{self.opts.model_name}") for verb in ("view", "change"))

    def get_readonly_fields(self, request: HttpRequest, obj: object = None) -> Iterable[str]:  # noqa: ARG002
        return names_in(self.fields or [row for _, options in self.fieldsets or () for row in options["fields"]])


def names_in(rows: Iterable[str | Iterable[str]]) -> list[str]:
    """Return the names of fields, of which some stand in one row."""
    return [name for row in rows for name in ([row] if isinstance(row, str) else row)]


def go_to(request: HttpRequest, url: str) -> HttpResponse:
    """Answer a dialog that was sent: htmx is told where to go, a plain browser is sent there."""
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)


def linked(page: str, pk: object, text: object) -> str:
    """Write a link to the page of a row; ``page`` is like ``dialer_contact``."""
    return format_html('<a class="text-link" href="{}">{}</a>', reverse(f"admin:{page}_change", args=[pk]), text)
