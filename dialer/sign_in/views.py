"""The pages of signing in and out: password, second factor, and what people set for themselves."""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast

import segno
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from dialer.sign_in import gate, journal, second_factor, sessions
from dialer.sign_in.forms import LOCKED, UNAVAILABLE, CodeForm, refusal
from dialer.sign_in.models import RecoveryCode
from dialer.sign_in.second_factor import SetUpAlready, WrongCode
from dialer.sign_in.throttle import Locked, NotCountable
from dialer.workspaces.admin.time_zone import on_clock, operator_zone
from dialer.workspaces.admin.verbs import actor_of
from dialer.workspaces.audit import Actor
from dialer.workspaces.client import client_of
from dialer.workspaces.clock import database_now
from dialer.workspaces.encryption import decrypt, encrypt

_HALF_WAY_SECONDS = 600
"""How long somebody who gave a password may take for the second factor."""
_SECRET = "second_factor_secret"  # noqa: S105 — the key in the session of a secret that is being set up

_Page = Callable[[HttpRequest], HttpResponse]


def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask for name and password, and then for the second factor if there is to be one."""
    if request.method == "GET" and gate.half_signed_in(request) is not None:
        return _to("sign_in:code", request.GET.get("next", ""))
    answer = cast("_Page", admin.site.login)(request)
    if isinstance(answer, TemplateResponse):
        return _with_status(answer)
    if request.method == "POST" and isinstance(answer, HttpResponseRedirect):
        if gate.is_closed(request):
            request.session.set_expiry(_HALF_WAY_SECONDS)
            return _to("sign_in:code", answer.url)
        _begin(request, _signed_in(request))
    return answer


def sign_out(request: HttpRequest) -> HttpResponse:
    if request.method == "POST" and request.user.is_authenticated:
        journal.note(_signed_in(request), "sign_out", actor=actor_of(request), now=database_now())
    return cast("_Page", admin.site.logout)(request)


def change_password(request: HttpRequest) -> HttpResponse:
    page: _Page = admin.site.admin_view(admin.site.password_change)
    answer = page(request)
    if isinstance(answer, HttpResponseRedirect) and answer.url == reverse("admin:password_change_done"):
        journal.note(_signed_in(request), "change_password", actor=actor_of(request), now=database_now())
    return answer


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def give_code(request: HttpRequest) -> HttpResponse:
    """Ask somebody who gave a password for a code."""
    user = gate.half_signed_in(request)
    if user is None:
        return redirect("admin:index")
    if not second_factor.is_set_up(user):
        return _to("sign_in:set_up", _onward(request))
    form = CodeForm(request.POST or None)
    if _takes(form, lambda code: second_factor.verify(user, code, actor=_as(user, request), now=database_now())):
        _enter(request, user)
        return HttpResponseRedirect(_onward(request))
    return _page(request, "code", {"title": "Two-factor sign-in", "form": form})


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def set_up(request: HttpRequest) -> HttpResponse:
    """Show a new secret as a QR code, and take the first code that the app makes of it.

    Until then the secret is in the session, encrypted; each look at the page makes another one.
    """
    half = gate.half_signed_in(request)
    if half is None and not admin.site.has_permission(request):
        return redirect("admin:login")
    user = half or _signed_in(request)
    if second_factor.is_set_up(user):
        return redirect("sign_in:two_factor" if half is None else "sign_in:code")
    form = CodeForm(request.POST or None)
    kept = request.session.get(_SECRET) if form.is_bound else None
    secret = decrypt(kept.encode()) if kept else second_factor.new_secret()
    codes: list[str] = []
    try:
        is_made = _takes(
            form,
            lambda code: codes.extend(
                second_factor.set_up(user, secret, code, actor=_as(user, request), now=database_now())
            ),
        )
    except SetUpAlready:  # by another browser, just now
        return redirect("admin:index")
    if is_made:
        del request.session[_SECRET]
        gate.let_through(request)
        if half is not None:
            _enter(request, user)
        return _page(request, "recovery_codes", {"title": "Recovery codes", "codes": codes, "onward": _onward(request)})
    request.session[_SECRET] = encrypt(secret).decode()
    qr_code = segno.make(second_factor.app_url(secret, user.get_username()), error="m")
    given = {"form": form, "secret": secret, "image": qr_code.svg_data_uri(scale=5)}
    return _page(request, "set_up", {"title": "Set up two-factor sign-in", **given})


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def two_factor(request: HttpRequest) -> HttpResponse:
    """Show somebody their second factor; with a code, make new recovery codes or turn it off."""
    if not admin.site.has_permission(request):
        return redirect("admin:login")
    user = _signed_in(request)
    form = CodeForm(request.POST or None)
    actor, now = actor_of(request), database_now()
    codes: list[str] = []
    if "turn_off" in request.POST:
        if _takes(form, lambda code: second_factor.turn_off(user, code, actor=actor, now=now)):
            gate.close(request)
            # They gave a second factor that is gone, and a workspace may require one.
            sessions.end_others(user, but=request.session.session_key or "", actor=actor, now=now)
            messages.success(request, "Two-factor sign-in is off.")
            return redirect("admin:index")
    elif _takes(form, lambda code: codes.extend(second_factor.renew_recovery_codes(user, code, actor=actor, now=now))):
        onward = reverse("sign_in:two_factor")
        return _page(request, "recovery_codes", {"title": "Recovery codes", "codes": codes, "onward": onward})
    given = {"is_on": second_factor.is_set_up(user), "left": RecoveryCode.objects.filter(user=user).count()}
    return _page(request, "two_factor", {"title": "Two-factor sign-in", "form": form, **given})


def _begin(request: HttpRequest, user: User) -> None:
    """Begin the session, and tell the person of attempts that failed since the last time."""
    now = database_now()
    if failures := journal.failures_of(user):
        attempts = "1 attempt" if failures.count == 1 else f"{failures.count} attempts"
        messages.warning(
            request,
            f"{attempts} to sign in as you failed since you signed in last, the last one on "
            f"{on_clock(failures.last_at, operator_zone(), now=now)} from {failures.last_address or 'nowhere'}. "
            "If that was not you, change your password.",
        )
    sessions.begin(request.session, user, actor=_as(user, request), now=now)


def _enter(request: HttpRequest, user: User) -> None:
    gate.let_through(request)
    _begin(request, user)


def _takes(form: CodeForm, take: Callable[[str], object]) -> bool:
    """Give the form's code to ``take``, and show in the form why it is refused; returns whether it was taken."""
    if not form.is_valid():
        return False
    try:
        take(form.cleaned_data["code"])
    except WrongCode:
        form.add_error("code", "This code is wrong, too old, or was used before. Wait for the next one.")
    except (Locked, NotCountable) as refused:
        form.add_error(None, refusal(refused, now=database_now()))
    return not form.errors


def _page(request: HttpRequest, name: str, given: Mapping[str, Any]) -> HttpResponse:
    context = {**admin.site.each_context(request), **given}
    return _with_status(TemplateResponse(request, f"sign_in/{name}.html", context))


def _with_status(answer: TemplateResponse) -> HttpResponse:
    """Set the status to 429 or 503 if the page's form says that there were too many attempts, or none are counted."""
    form: BaseForm | None = (answer.context_data or {}).get("form")
    errors: list[ValidationError] = form.errors.as_data().get(NON_FIELD_ERRORS, []) if form is not None else []
    for error in errors:
        if error.code == UNAVAILABLE:
            answer.status_code = 503
        elif error.code == LOCKED:
            until: datetime = (error.params or {})["until"]
            answer.status_code = 429
            answer.headers["Retry-After"] = str(max(1, math.ceil((until - database_now()).total_seconds())))
    return answer


def _signed_in(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _as(user: User, request: HttpRequest) -> Actor:
    return Actor(kind="user", id=str(user.pk), label=user.get_username(), client=client_of(request))


def _onward(request: HttpRequest) -> str:
    """Return where the person wanted to go, if that is one of our pages."""
    wanted = request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if is_ours else reverse("admin:index")


def _to(page: str, onward: str) -> HttpResponse:
    return HttpResponseRedirect(f"{reverse(page)}?{urlencode({'next': onward})}")
