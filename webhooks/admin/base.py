"""What the pages of webhooks have in common: the door, who acts, and buttons that ask before they do."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.paginator import InfinitePaginator

from dialer.workspaces.audit import Actor
from dialer.workspaces.ids import MalformedId, parse_public_id
from dialer.workspaces.transitions import TransitionConflict
from webhooks.endpoint_settings import InvalidEndpoint
from webhooks.endpoints import EndpointInactive, NothingToPromote, NothingToSign

REFUSALS: dict[type[Exception], str] = {
    NothingToSign: "The endpoint signs nothing, so it has no secret.",
    NothingToPromote: "There is no rotated secret that waits: rotate first.",
}
_SAYS_ITSELF = (EndpointInactive, TransitionConflict, InvalidEndpoint)

_REFUSED: tuple[type[Exception], ...] = (*REFUSALS, *_SAYS_ITSELF)

_Row = TypeVar("_Row", bound=Model)
_Shows = TypeVar("_Shows", bound=Callable[..., Any])


def actor_of(request: HttpRequest) -> Actor:
    """Return the user as the actor of audit entries."""
    user = request.user
    assert isinstance(user, AbstractBaseUser)
    return Actor(kind="user", id=str(user.pk), label=user.get_username())


def refusal(raised: Exception) -> str | None:
    """Say in a sentence why a verb refused; ``None`` for what is no refusal."""
    if isinstance(raised, _SAYS_ITSELF):
        text = str(raised)
        return f"{text[:1].upper()}{text[1:]}."
    return REFUSALS.get(type(raised))


def button(
    title: str, *, asks: str, does: str, icon: str, permission: str = "change", form: type[Any] | None = None
) -> Callable[[Callable[..., Any]], Any]:
    """Make a method a button on a row's page that opens a dialog, and does its work by POST only."""
    decorate: Callable[[Callable[..., Any]], Any] = action(
        description=title,
        icon=icon,
        permissions=[permission],
        dialog={"title": title, "description": asks, "form_class": form, "form_submit_text": does},
    )
    return decorate


def column(
    title: str, *, label: dict[str, str] | None = None, ordering: str | None = None
) -> Callable[[_Shows], _Shows]:
    """Make a method a column or read-only field; ``label`` gives its words the colours of badges."""
    decorate: Callable[[_Shows], _Shows] = display(description=title, label=label, ordering=ordering)
    return decorate


class ScopedAdmin(ModelAdmin):  # type: ignore[misc] # unfold has no types
    """Shows the rows of the user's workspaces and no others, page by page without counting them."""

    show_full_result_count = False
    paginator = InfinitePaginator
    list_per_page = 50
    list_disable_select_all = True  # an action is done to the rows that are ticked, not to a table of any size
    id_prefixes: dict[str, str] = {"id": ""}
    """Searched by public id: each lookup with the prefix of its ids."""
    search_by_text = False
    """Whether what is no id is looked for in ``search_fields``; only where the table is small."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = self.model.objects.visible_to(request.user).order_by(*self.ordering)
        return rows

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
        return queryset.none(), False

    def visible(self, request: HttpRequest, object_id: str) -> Any:  # noqa: ANN401 — a row of the model
        """Return the row; raises ``DoesNotExist`` where the user has no business with it."""
        try:
            key = UUID(object_id)
        except ValueError as error:
            raise self.model.DoesNotExist from error
        return self.get_queryset(request).get(pk=key)

    def act(self, request: HttpRequest, object_id: str, do: Callable[[Any], str]) -> HttpResponse:
        """Do a verb to a row, tell what it said, and go back to the row's page."""
        try:
            said, level = do(self.visible(request, object_id)), messages.SUCCESS
        except self.model.DoesNotExist:
            said, level = "There is no such row any more.", messages.ERROR
        except _REFUSED as refused:
            said, level = refusal(refused) or "", messages.ERROR
        self.message_user(request, said, level)
        return go_to(request, self.url_of("change", object_id))

    def url_of(self, page: str, *arguments: str) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{page}", args=arguments)


class ReadOnlyAdmin(ScopedAdmin):
    """History: to be looked at only."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 — Django's signature
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: object = None) -> Iterable[str]:  # noqa: ARG002
        names: list[str] = []
        for field in self.fields or ():
            names += [field] if isinstance(field, str) else field
        return names


def go_to(request: HttpRequest, url: str) -> HttpResponse:
    """Answer a dialog that was sent: htmx is told where to go, a plain browser is sent there."""
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)
