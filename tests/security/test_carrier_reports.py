"""What a carrier's word may touch: the calls over its own lines, and in a look-up the call asked about."""

from datetime import timedelta

import pytest

from dialer.carriers.base import Found, MessageReport
from dialer.dialing import carrier_reports, reconciliation
from dialer.messages import reports as message_reports
from dialer.models import Call, CarrierEvent, Message, Suppression
from tests.factories import (
    NOW,
    ROUND_THE_CLOCK,
    make_campaign,
    make_campaign_contact,
    make_contact,
    make_line,
    make_message,
    make_persona,
)
from tests.in_process_carrier import InProcessCarrier, ended, report
from tests.pipeline import carrier, dial
from tests.security.forgeries import a_ring
from webhooks.models import Event

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

MINUTE = timedelta(minutes=1)
VICTIMS_NUMBER = "+442079460001"


def a_live_call() -> Call:
    """Dial a contact of a workspace of its own; the call is with the carrier ``simulated``."""
    member = make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK))
    dial(NOW)
    live: Call = Call.objects.get(campaign_contact=member, status="dialing")
    return live


def test_what_a_look_up_says_of_other_calls_is_dropped(
    carrier: InProcessCarrier, caplog: pytest.LogCaptureFixture
) -> None:
    attackers, victims = a_live_call(), a_live_call()
    make_persona(victims.workspace)
    make_line(victims.workspace, caller_ids=[VICTIMS_NUMBER])
    said = {
        attackers.pk: [
            report("ringing", attackers.pk, NOW),
            ended(victims.pk, NOW, "dnc_request", transcript="never said"),
            a_ring(VICTIMS_NUMBER),
        ]
    }
    carrier.fate = lambda call_id: Found(reports=said.get(call_id, ()), is_live=True)

    reconciliation.check_due(limit=10, now=NOW + MINUTE)
    carrier_reports.apply_stored(limit=10, now=NOW + MINUTE)

    assert set(CarrierEvent.objects.values_list("call_id", flat=True)) == {attackers.pk}
    assert Call.objects.get(pk=attackers.pk).status == "ringing"
    assert Call.objects.get(pk=victims.pk).status == "dialing"
    assert not Call.objects.filter(direction="inbound").exists()
    assert not Suppression.objects.exists()
    assert f"carrier.look_up_told_of_others call={attackers.pk} reports=2" in caplog.text


def test_a_look_up_that_tells_of_other_calls_only_says_nothing_of_the_one_asked_about(
    carrier: InProcessCarrier,
) -> None:
    mine, other = a_live_call(), a_live_call()
    carrier.fate = lambda call_id: Found(reports=[ended(other.pk, NOW, "busy")], is_live=call_id == other.pk)

    reconciliation.check_due(limit=10, now=NOW + MINUTE)

    assert Call.objects.get(pk=mine.pk).outcome == "unknown"


def test_a_carrier_ends_no_call_of_another_carriers_line(carrier: InProcessCarrier) -> None:
    victims = a_live_call()
    forged = ended(victims.pk, NOW, "dnc_request", transcript="never said")

    carrier_reports.store("vendor", [forged])
    carrier_reports.apply_stored(limit=10, now=NOW + MINUTE)

    assert CarrierEvent.objects.get().note == "is of a call over another line"
    assert Call.objects.get(pk=victims.pk).status == "dialing"
    assert not Suppression.objects.exists()
    assert not Event.objects.filter(type="call.ended").exists()


def test_a_carriers_own_report_in_the_same_batch_still_counts(carrier: InProcessCarrier) -> None:
    victims = a_live_call()

    carrier_reports.store("vendor", [ended(victims.pk, NOW, "busy")])
    carrier_reports.store("simulated", [ended(victims.pk, NOW, "no_answer")])
    carrier_reports.apply_stored(limit=10, now=NOW + MINUTE)

    assert Call.objects.get(pk=victims.pk).outcome == "no_answer"


def test_a_carrier_settles_no_message_of_another_carriers_line() -> None:
    message = make_message(make_contact())

    def say(carrier: str) -> int:
        told = MessageReport(
            kind="failed", message_id=message.pk, carrier_message_id="m-1", occurred_at=NOW, reason="forged"
        )
        return message_reports.apply(carrier, [told], now=NOW)

    assert say("vendor") == 0
    assert Message.objects.get().status == "sent"
    assert say("simulated") == 1
