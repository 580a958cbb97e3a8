"""A campaign over a carrier that speaks Twilio's API: reports come over HTTP to the line's own address."""

from datetime import timedelta
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from callbacks.models import Callback
from dialer.dialing import carrier_reports, reconciliation
from dialer.models import Call
from dialer.workspaces.clock import database_now
from tests.dialer.carriers.test_twilio import CREDENTIALS, ENDPOINT
from tests.factories import (
    ROUND_THE_CLOCK,
    make_campaign,
    make_campaign_contact,
    make_contact,
    make_line,
    make_persona,
    make_workspace,
)
from tests.pipeline import dial
from tests.twilio.fake import FakeTwilio, fake_twilio

pytestmark = pytest.mark.django_db(transaction=True)

_OUTCOMES = {
    "00": "answered",
    "01": "voicemail",
    "02": "no_answer",
    "03": "busy",
    "04": "invalid_number",
    "05": "declined",
    "06": "network_error",
    "07": "answered",
    "08": "invalid_number",
    "12": "answered",
    "13": "answered",
}
_RETRIED = {"voicemail", "no_answer", "busy", "network_error"}
MINUTE = timedelta(minutes=1)


def test_each_contact_is_called_once_and_ends_as_the_carrier_says(live_server: Any, settings: Settings) -> None:
    settings.PUBLIC_URL = live_server.url
    workspace = make_workspace()
    campaign = make_campaign(
        workspace,
        line=make_line(workspace, carrier="twilio", credentials=CREDENTIALS),
        persona=make_persona(workspace, endpoint=ENDPOINT),
        schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [1]},
    )
    for ending in _OUTCOMES:
        make_campaign_contact(campaign, make_contact(workspace, phone=f"+4930123400{ending}"))

    with fake_twilio() as twilio:
        settings.TWILIO_API_URL = twilio.url
        first = database_now()
        dial(first)
        _hear(twilio)
        ends = dict(Call.objects.filter(status="ended").values_list("number", "outcome"))
        retries = Callback.objects.filter(status="pending").count()

        dial(first + 2 * MINUTE)
        _hear(twilio)

        called = {ending: twilio.calls_to(f"+4930123400{ending}") for ending in _OUTCOMES}

    assert ends == {f"+4930123400{ending}": outcome for ending, outcome in _OUTCOMES.items()}
    assert retries == sum(outcome in _RETRIED for outcome in ends.values())
    assert called == {
        ending: 0 if ending == "04" else 2 if outcome in _RETRIED else 1 for ending, outcome in _OUTCOMES.items()
    }
    assert Call.objects.filter(status="ended").count() == len(_OUTCOMES) + retries


def _hear(twilio: FakeTwilio) -> None:
    """Let the carrier report all ends, then ask for what it did not answer."""
    twilio.wait()
    now = database_now() + 2 * MINUTE
    carrier_reports.apply_stored(limit=100, now=now)
    reconciliation.check_due(limit=100, now=now)
    carrier_reports.apply_stored(limit=100, now=now)
