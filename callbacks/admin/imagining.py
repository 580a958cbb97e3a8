"""Previews of settings, shown beside the form before anything is saved."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from callbacks.preview import Question, preview
from dialer.rules.schedule_settings import RETRYABLE, InvalidSettings
from dialer.rules.time_zones import is_time_zone
from dialer.workspaces.admin.time_zone import on_clock, operator_zone

_MOST_ATTEMPTS = 8


class PreviewForm(forms.Form):
    """The assumptions of a preview: the contact's zone, and how each attempt ends."""

    imagined_outcome = forms.ChoiceField(
        label="Assume every attempt ends with",
        choices=[(outcome, outcome.replace("_", " ")) for outcome in RETRYABLE],
        initial="no_answer",
        widget=UnfoldAdminSelectWidget,
    )
    imagined_zone = forms.CharField(
        label="for a contact in", initial="Europe/Berlin", widget=UnfoldAdminTextInputWidget
    )

    def clean_imagined_zone(self) -> str:
        zone: str = self.cleaned_data["imagined_zone"].strip()
        if not is_time_zone(zone):
            message = "Not a known IANA time zone, such as Europe/Berlin."
            raise forms.ValidationError(message)
        return zone


def outcomes_of(imagined: Mapping[str, Any]) -> list[str]:
    """Return the assumed outcome of each attempt."""
    return [imagined["imagined_outcome"]] * _MOST_ATTEMPTS


def shown(question: Question) -> dict[str, Any]:
    """Return the attempts with times on the contact's and the operator's clock."""
    answer = preview(question)
    zone, now = answer["timezone"], question.first_attempt_at
    attempts = [
        {
            "number": attempt["attempt_number"],
            "theirs": on_clock(datetime.fromisoformat(attempt["at"]), zone, now=now),
            "yours": on_clock(datetime.fromisoformat(attempt["at"]), operator_zone(), now=now),
            "why": [step["text"] for step in attempt["explanation"]],
        }
        for attempt in answer["attempts"]
    ]
    return {"attempts": attempts, "stop": answer["stop"], "zone": zone}


def faults_of(*filled_in: forms.Form) -> list[str]:
    """Return the errors of the forms as sentences."""
    return [str(fault) for form in filled_in for faults in form.errors.values() for fault in faults]


def in_words(refused: InvalidSettings) -> list[str]:
    return [f"{path.replace('_', ' ')}: {' '.join(reasons)}" for path, reasons in refused.errors.items()]
