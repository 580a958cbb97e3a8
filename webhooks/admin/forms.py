"""The forms behind the buttons of an endpoint."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from dialer.workspaces.admin.forms import SecretField
from dialer.workspaces.admin.verb_forms import VerbForm
from dialer.workspaces.clock import database_now
from webhooks.replay import MISSED, SETTLED, Wanted
from webhooks.rules.statuses import EVENT_TYPES, TEST_EVENT, BatchType, DeliveryStatus


class RotateForm(VerbForm):
    secret = SecretField(help_text="If empty, one is made and shown once.")


class TestForm(VerbForm):
    event = forms.ChoiceField(
        choices=[
            (name, name) for name in dict.fromkeys((TEST_EVENT, *EVENT_TYPES, *(each.value for each in BatchType)))
        ],
        widget=UnfoldAdminSelectWidget,
        help_text="A sample of it is sent, even if the endpoint does not subscribe to it.",
    )


def _a_day_ago() -> str:
    return f"{database_now().astimezone(UTC) - timedelta(days=1):%Y-%m-%dT%H:%M}"


class _UtcField(forms.Field):
    widget = UnfoldAdminTextInputWidget(attrs={"type": "datetime-local", "step": "1"})

    def to_python(self, value: object) -> datetime | None:
        if not value:
            return None
        try:
            read = datetime.fromisoformat(str(value))
        except ValueError as error:
            message = "Enter a date and a time, such as 2025-03-14T09:30."
            raise forms.ValidationError(message) from error
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read


class ReplayForm(VerbForm):
    since = _UtcField(initial=_a_day_ago, help_text="Deliveries made since then (UTC)")
    until = _UtcField(required=False, help_text="Deliveries made before then (UTC); now, if empty")
    statuses = forms.MultipleChoiceField(
        choices=[(status.value, status.value) for status in SETTLED],
        initial=[status.value for status in MISSED],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    events = forms.MultipleChoiceField(
        required=False,
        choices=[(name, name) for name in (*EVENT_TYPES, *(items.value for items in BatchType))],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Only these types; none means all",
    )
    dry_run = forms.BooleanField(required=False, initial=True, widget=UnfoldBooleanWidget, help_text="Count only")

    def wanted(self) -> Wanted:
        given: dict[str, Any] = self.cleaned_data
        return Wanted(
            since=given["since"],
            until=given["until"],
            statuses=[DeliveryStatus(status) for status in given["statuses"]],
            events=given["events"],
        )
