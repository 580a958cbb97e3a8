"""The forms of signing in."""

from datetime import datetime
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from unfold.forms import AuthenticationForm
from unfold.widgets import UnfoldAdminTextInputWidget

from dialer.sign_in import passwords
from dialer.sign_in.passwords import Tried
from dialer.sign_in.throttle import Locked, NotCountable
from dialer.workspaces.admin.time_zone import on_clock, operator_zone
from dialer.workspaces.client import client_of
from dialer.workspaces.clock import database_now

UNAVAILABLE = "unavailable"
LOCKED = "locked"


class SignInForm(AuthenticationForm):  # type: ignore[misc] # unfold has no types
    """Name and password; limits the attempts."""

    request: HttpRequest

    def clean(self) -> dict[str, Any]:
        name, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if not name or not password:
            return cast("dict[str, Any]", super().clean())
        about = Tried(client=client_of(self.request), now=database_now())
        try:
            passwords.begin(name, **about)
            try:
                cleaned = super().clean()
            except ValidationError:
                passwords.failed(name, **about)
                raise
            passwords.succeeded(name)
        except (Locked, NotCountable) as refused:
            raise refusal(refused, now=about["now"]) from refused
        return cast("dict[str, Any]", cleaned)


class CodeForm(forms.Form):
    """A code of the app; where there is a second factor, a recovery code too."""

    code = forms.CharField(
        max_length=64,
        widget=UnfoldAdminTextInputWidget(
            attrs={"autocomplete": "one-time-code", "autofocus": "", "spellcheck": "false"}
        ),
    )


def refusal(refused: Locked | NotCountable, *, now: datetime) -> ValidationError:
    """Return the error of a form; it says nothing about whether the name is a user's."""
    if isinstance(refused, NotCountable):
        return ValidationError(
            "Attempts to sign in cannot be counted at the moment, so nobody can sign in. Try again in a minute.",
            code=UNAVAILABLE,
        )
    until = on_clock(refused.until, operator_zone(), now=now)
    return ValidationError(
        f"There were too many failed attempts. Signing in is locked until {until}.",
        code=LOCKED,
        params={"until": refused.until},
    )
