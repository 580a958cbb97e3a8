"""The base of all admin pages: shows only rows of the user's workspaces, runs verbs and reports their results.

A page translates its input and calls one verb. ``refusals`` turns a verb's errors into sentences, shown in the form or,
for actions on many rows, counted by reason.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from django.contrib import messages
from django.contrib.admin import SimpleListFilter
from django.contrib.auth import get_permission_codename
from django.core.exceptions import ValidationError
from django.db.models import ForeignKey, Model, QuerySet
from django.forms import ModelChoiceField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.forms import BaseDialogForm
from unfold.paginator import InfinitePaginator

from dialer.workspaces.admin.shown_once import ShownOnce, shown_once
from dialer.workspaces.admin.verb_forms import VerbForm
from dialer.workspaces.ids import MalformedId, parse_public_id
from dialer.workspaces.models import Workspace
from dialer.workspaces.scoping import OwnedQuerySet
from dialer.workspaces.storable import is_clean
from dialer.workspaces.transitions import TransitionConflict

_Row = TypeVar("_Row", bound=Model)

Refusals = Mapping[type[Exception], Callable[[Any], str]]
"""Turns an error of a verb into a sentence without the full stop."""

_MOST_COUNTED = 10_000


def workspaces_of(request: HttpRequest) -> Sequence[Workspace]:
    """Return the open workspaces that the user may see; reads them once per request."""
    known: Sequence[Workspace] | None = getattr(request, "_workspaces_seen", None)
    if known is None:
        known = list(Workspace.objects.visible_to(request.user).filter(closed_at=None).order_by("name", "id"))
        request._workspaces_seen = known  # type: ignore[attr-defined]  # noqa: SLF001 — cached on the request
    return known


def its_own_words(raised: Exception) -> str:
    """Return the error's own message."""
    return str(raised).strip(". ")


class FilteredAdmin(ModelAdmin):  # type: ignore[misc] # unfold has no types
    """Takes from the query string only what the page's filters offer.

    Django's own pages let any column be looked up in any way, also those that a page does not show.
    """

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        offered = {name for each in self.get_list_filter(request) for name in _parameters_of(each)}
        return lookup in offered and is_clean(value)


class NotPermitted(Exception):
    """The user's role in the row's workspace does not allow the verb, or what the form asks of it."""

    def __init__(self) -> None:
        super().__init__("your role in its workspace does not allow it")


class ScopedAdmin(FilteredAdmin):
    """Shows only the rows of workspaces where the user's role allows it, page by page, without counting them.

    ``has_…_permission`` asks about the role in the row's workspace, or about all the user's roles if there is no row.
    """

    show_full_result_count = False
    paginator = InfinitePaginator
    list_per_page = 50
    list_disable_select_all = True  # actions apply to ticked rows, not to a table of any size
    actions_on_top = True
    id_prefixes: Mapping[str, str] = {"id": ""}
    """Lookups for a search by public id, each with the prefix of its ids."""
    search_by_text = False
    """Whether texts other than ids are searched in ``search_fields``; only for small tables."""
    refusals: ClassVar[Refusals] = {}
    """The errors that verbs of this page raise, besides ``TransitionConflict``, with their sentences."""
    permissions: ClassVar[Mapping[str, str]] = {}
    """Permissions that are not Django's for the page's rows; ``act``, for the verbs, is by default that to change."""

    def log_addition(self, request: HttpRequest, obj: Model, message: object) -> None:
        """Write no entry of Django's own log, which would keep the name of the row; the verb has written the audit."""

    log_change = log_addition

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = self.model.objects.visible_to(request.user).order_by(*self.ordering)
        return rows

    def formfield_for_foreignkey(
        self,
        db_field: "ForeignKey[Any, Any]",
        request: HttpRequest,
        **options: object,
    ) -> ModelChoiceField[Any] | None:
        """Offer only rows that are not archived, of workspaces where the user may add rows to this page."""
        model = db_field.remote_field.model
        rows = model._default_manager.all()  # noqa: SLF001 — Django's documented interface
        if isinstance(rows, OwnedQuerySet):
            rows = rows.visible_to(request.user, self.permission_to("add"))
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
        """Find rows by a text other than an id; must use an index."""
        return queryset.none()

    def beside(self, request: HttpRequest, row: Any) -> dict[str, Any]:  # noqa: ANN401, ARG002 — a row of the model; for those who have any
        """Return the extra context for the page's templates; ``row`` is ``None`` on the page that adds a row."""
        return {}

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Model | None = None, **options: Any
    ) -> HttpResponse:
        page: HttpResponse = super().render_change_form(
            request, context | self.beside(request, obj), *args, obj=obj, **options
        )
        return page

    def permission_to(self, verb: str) -> str:
        """Return the name of the permission to ``view``, ``add``, ``change``, ``delete`` or ``act``."""
        codename = get_permission_codename("change" if verb == "act" else verb, self.opts)
        return self.permissions.get(verb, f"{self.opts.app_label}.{codename}")

    def allows(self, request: HttpRequest, verb: str, row: object = None) -> bool:
        """Tell whether the user's role allows a verb: on the row, or anywhere; unfold names a row by its id alone."""
        user: Any = request.user
        return bool(user.has_perm(self.permission_to(verb), self._named(request, row) if isinstance(row, str) else row))

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return self.allows(request, "view", obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.allows(request, "add")

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return self.allows(request, "change", obj)

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return self.allows(request, "delete", obj)

    def has_act_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Tell whether the user may run the verbs of this page."""
        return self.allows(request, "act", obj)

    def _named(self, request: HttpRequest, object_id: str) -> Model | None:
        """Return the row, or ``None`` if the user sees none; reads it once per request."""
        known: dict[str, Model | None] = request.__dict__.setdefault("_rows_named", {})
        name = f"{self.opts.label} {object_id}"
        if name not in known:
            try:
                known[name] = self.visible(request, object_id)
            except self.model.DoesNotExist:
                known[name] = None
        return known[name]

    def visible(self, request: HttpRequest, object_id: str) -> Any:  # noqa: ANN401 — a row of the model
        """Return the row; raises ``DoesNotExist`` if it is not in a workspace of the user."""
        key = self.model._meta.pk  # noqa: SLF001 — Django's documented interface
        try:
            return self.get_queryset(request).get(pk=key.to_python(object_id))
        except ValidationError as error:
            raise self.model.DoesNotExist from error

    def act(
        self,
        request: HttpRequest,
        object_id: str,
        do: Callable[[Any], str | ShownOnce],
        *,
        form: BaseDialogForm | None = None,
        then: str = "",
    ) -> HttpResponse:
        """Run a verb on a row, show its message or secret, and go back to the page with the button.

        Shows a refusal in ``form``, which stays open, or as a notice if there is none. ``then`` is the page to go to if
        the row is gone afterwards.
        """
        try:
            row = self.visible(request, object_id)
            check_permissions(request, form, row)
            said, level = do(row), messages.SUCCESS
            if isinstance(said, ShownOnce):
                return shown_once(request, said, then=self.url_of("change", row.pk))
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
        """Show the dialog again with its input and the reason for the refusal on top."""
        form.refused = self._sentence(refused)
        asked = {"dialog": dialog, "form": form, "form_submit_text": dialog["form_submit_text"]}
        return render(request, "unfold/helpers/dialog.html", asked)

    def _sentence(self, refused: Exception) -> str:
        text = self.refusal(refused)
        return f"{text[:1].upper()}{text[1:]}."

    def all_matching(self, request: HttpRequest, action: str) -> QuerySet[Any] | None:  # noqa: ARG002 — for those who can
        """Return all rows of the filtered list if the action can run on them as a job, else ``None``."""
        return None

    def counted(self, rows: QuerySet[Any]) -> str:
        """Return a count to display; stops at a limit, because no page may count a big table."""
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
        """Start a job that runs the action on the rows of :meth:`all_matching`, and redirect to its page."""
        raise NotImplementedError

    def do_to_each(
        self, request: HttpRequest, rows: Iterable[_Row], do: Callable[[_Row], object], *, did: str, verb: str = "act"
    ) -> None:
        """Run a verb on each row, and show how many changed, how many did not, and why.

        ``verb`` is what the user's role must allow in the workspace of each row.
        """
        done, refused = 0, Counter[str]()
        for row in rows:
            try:
                if not self.allows(request, verb, row):
                    raise NotPermitted
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
        """Return the sentence for a refusal; with ``is_counted``, one that names no details of a single row."""
        if isinstance(raised, TransitionConflict) and is_counted:
            return f"already {raised.from_}"
        text = next(say(raised) for kind, say in self._all_refusals().items() if isinstance(raised, kind))
        return f"not: {text}" if is_counted else text

    def refusal_kinds(self) -> tuple[type[Exception], ...]:
        return tuple(self._all_refusals())

    def url_of(self, page: str, *arguments: object) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{page}", args=arguments)

    def _all_refusals(self) -> dict[type[Exception], Callable[[Any], str]]:
        return {TransitionConflict: its_own_words, NotPermitted: its_own_words, **self.refusals}

    def _where_from(self, request: HttpRequest, object_id: str) -> str:
        """Return the URL of the filtered list if the button was there, else of the row's page."""
        listed = self.url_of("changelist")
        url = request.headers.get("HX-Current-URL", "")
        path = url.removeprefix(f"{request.scheme}://{request.get_host()}")
        return path if path.split("?")[0] == listed else self.url_of("change", object_id)


class StatefulAdmin(ScopedAdmin):
    """Offers only the verbs that a row's state allows; the verbs themselves check it again."""

    def verbs_for(self, row: Any) -> Collection[str]:  # noqa: ANN401 — a row of the model
        raise NotImplementedError

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        row = self.get_object(request, str(object_id))
        offered = self.verbs_for(row) if row is not None else ()
        mine = f"{self.opts.app_label}_{self.opts.model_name}_"
        found: list[Any] = super().get_actions_detail(request, object_id)
        return [verb for verb in found if verb.action_name.removeprefix(mine) in offered]


class ReadOnlyAdmin(ScopedAdmin):
    """Rows without a form: only verbs change them."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 — Django's signature
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: object = None) -> Iterable[str]:  # noqa: ARG002
        return names_in(self.fields or [row for _, options in self.fieldsets or () for row in options["fields"]])


def check_permissions(request: HttpRequest, form: BaseDialogForm | None, row: Model) -> None:
    """Raise :class:`NotPermitted` if the input needs a permission that the user's role lacks in the row's workspace."""
    user: Any = request.user
    if isinstance(form, VerbForm) and not all(user.has_perm(needed, row) for needed in form.needs()):
        raise NotPermitted


def names_in(rows: Iterable[str | Iterable[str]]) -> list[str]:
    """Flatten field names, some of which are grouped in one row of the form."""
    return [name for row in rows for name in ([row] if isinstance(row, str) else row)]


def _parameters_of(list_filter: str | type[SimpleListFilter]) -> Iterable[str]:
    """Return the query parameters of a filter: its own, or the look-ups that Django offers for a field."""
    if isinstance(list_filter, str):
        return (f"{list_filter}__{lookup}" for lookup in ("exact", "id__exact", "isnull"))
    return (str(list_filter.parameter_name),)


def go_to(request: HttpRequest, url: str) -> HttpResponse:
    """Redirect after a dialog: by a header for htmx, by a redirect for a plain browser."""
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)


def linked(page: str, pk: object, text: object) -> str:
    """Return a link to the page of a row; ``page`` is a name such as ``dialer_contact``."""
    return format_html('<a class="text-link" href="{}">{}</a>', reverse(f"admin:{page}_change", args=[pk]), text)
