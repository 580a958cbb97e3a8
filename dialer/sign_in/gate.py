"""The gate: a person who gave a password but not yet the second factor is not signed in, at any URL."""

from collections.abc import Callable
from typing import cast

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Exists, Q
from django.http import HttpRequest, HttpResponse

from dialer.workspaces.models import Workspace

_PASSED = "second_factor_passed"


class SecondFactorGate:
    """Middleware: replaces the user by an anonymous one until the second factor is given.

    Only the pages that ask for it, or set it up, see who it is, by :func:`half_signed_in`.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Requests of the API bring no session: reading it would tell caches to keep their answers apart by cookie.
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated and is_closed(request):
            request.half_signed_in = request.user  # type: ignore[attr-defined]
            request.user = AnonymousUser()
        return self._get_response(request)


def half_signed_in(request: HttpRequest) -> User | None:
    """Return who gave a password and still has to give, or to set up, a second factor."""
    return cast("User | None", getattr(request, "half_signed_in", None))


def is_closed(request: HttpRequest) -> bool:
    """Tell whether the person has, or must have, a second factor that this session has not seen."""
    if request.session.get(_PASSED):
        return False
    user = request.user
    assert isinstance(user, User)
    required = Workspace.objects.visible_to(user).filter(requires_two_factor=True, closed_at=None)
    asked = User.objects.filter(Q(second_factor__isnull=False) | Exists(required), pk=user.pk)
    return asked.exists()


def let_through(request: HttpRequest) -> None:
    request.session[_PASSED] = True


def close(request: HttpRequest) -> None:
    """Forget that this session gave a second factor, which is gone."""
    request.session.pop(_PASSED, None)
