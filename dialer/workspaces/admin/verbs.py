"""Verbs on the operator's pages: who acts, what is asked, a button for one row, an action for those that are ticked."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from dialer.workspaces.admin.base import ScopedAdmin
from dialer.workspaces.admin.verb_forms import ReasonForm, VerbForm
from dialer.workspaces.audit import About, Actor
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import Owned

_AT_ONCE = 500
"""Rows that one bulk action takes; a page shows fewer."""


def actor_of(request: HttpRequest) -> Actor:
    """Return the user as the actor of audit entries."""
    user = request.user
    assert isinstance(user, AbstractBaseUser)
    return Actor(kind="user", id=str(user.pk), label=user.get_username())


def about(request: HttpRequest, row: Owned, form: ReasonForm | None = None) -> dict[str, Any]:
    """Return what every verb is told of a row: in whose workspace, who acts, when, and why if a form asked for that."""
    told = About(workspace_id=row.workspace_id, actor=actor_of(request), now=database_now())
    return {**told} if form is None else {**told, "reason": form.cleaned_data["reason"]}


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
        def done(self: ScopedAdmin, request: HttpRequest, filled_in: BaseDialogForm, object_id: str) -> HttpResponse:
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
        def asked(self: ScopedAdmin, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:  # noqa: ARG001
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
