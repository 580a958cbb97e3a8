"""Verbs on admin pages: a button for one row, and an action for the ticked rows."""

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

from dialer.workspaces.admin.base import ScopedAdmin, check_permissions
from dialer.workspaces.admin.shown_once import ShownOnce
from dialer.workspaces.admin.verb_forms import ReasonForm, VerbForm
from dialer.workspaces.audit import About, Actor
from dialer.workspaces.client import client_of
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import Owned

_AT_ONCE = 500
"""Most rows for one bulk action; a page shows fewer."""


def actor_of(request: HttpRequest) -> Actor:
    """Return the user as the actor of audit entries."""
    user = request.user
    assert isinstance(user, AbstractBaseUser)
    return Actor(kind="user", id=str(user.pk), label=user.get_username(), client=client_of(request))


def about(request: HttpRequest, row: Owned, form: ReasonForm | None = None) -> dict[str, Any]:
    """Return the arguments common to all verbs: workspace, actor, time, and the reason if there is a form."""
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
    """Turn a method into a button on a row or its page, which opens a dialog and runs the method on POST only."""
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
) -> Callable[[Callable[..., str | ShownOnce]], Callable[..., HttpResponse]]:
    """Turn a method that runs a verb on one row, and returns a message or a secret, into a :func:`button`.

    The method gets the form only if there is one. ``then`` names the page to go to if the row is gone afterwards.
    """

    def decorate(method: Callable[..., str | ShownOnce]) -> Callable[..., HttpResponse]:
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
    """Turn a method that runs a verb on one row into an action on the ticked rows, with a page to confirm it.

    ``did`` ends the notice "7 …".
    """

    def decorate(method: Callable[..., Any]) -> Callable[..., HttpResponse | None]:
        @wraps(method)
        def asked(self: ScopedAdmin, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:  # noqa: ARG001
            ids = request.POST.getlist(ACTION_CHECKBOX_NAME)[:_AT_ONCE]
            everything = _permitted(
                self.all_matching(request, method.__name__), request, self.permission_to(permission)
            )
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
                meant = _permitted(everything, request, *filled_in.needs())
                chosen = meant if wants_all else meant.filter(pk__in=ids)
                return self.do_as_job(request, method.__name__, filled_in, chosen, dry_run=is_dry_run)
            # Not filtered like the list: a row that has left the list meanwhile must count as refused.
            rows = self.get_queryset(request).filter(pk__in=ids)

            def do(row: Any) -> None:  # noqa: ANN401 — a row of the page's model
                check_permissions(request, filled_in, row)
                method(self, request, filled_in, row)

            self.do_to_each(request, rows, do, did=did, verb=permission)
            return None

        decorated: Callable[..., HttpResponse | None] = action(description=title, permissions=[permission])(asked)
        return decorated

    return decorate


def _permitted(rows: Any, request: HttpRequest, *permissions: str) -> Any:  # noqa: ANN401 — rows of any workspace, or None
    """Leave out the rows of workspaces where the user's role lacks a permission."""
    for permission in permissions if rows is not None else ():
        rows = rows.visible_to(request.user, permission)
    return rows
