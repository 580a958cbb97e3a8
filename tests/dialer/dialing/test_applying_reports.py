"""What reports of a carrier do to calls that go on: forward only, each once, and never to what is over."""

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from dialer.carriers.base import Busy, Found
from dialer.dialing import carrier_reports, reconciliation
from dialer.models import Call, CarrierEvent
from tests.factories import NOW, ROUND_THE_CLOCK, make_call, make_campaign, make_campaign_contact
from tests.in_process_carrier import InProcessCarrier, ended, report
from tests.pipeline import carrier, dial
from webhooks.models import Event

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

SECOND = timedelta(seconds=1)
PATIENCE = 20.0


@pytest.fixture
def live(carrier: InProcessCarrier) -> Call:
    make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK))
    dial(NOW)
    found: Call = Call.objects.get()
    return found


def tell(call: Call, *kinds: Any, at: datetime = NOW + SECOND) -> Call:
    """Report, and apply what was reported; return the call as it is then."""
    carrier_reports.store("simulated", [report(kind, call.pk, at) for kind in kinds])
    carrier_reports.apply_stored(limit=100, now=at)
    found: Call = Call.objects.get(pk=call.pk)
    return found


def told() -> list[str]:
    return list(Event.objects.order_by("sequence").values_list("type", flat=True))


def test_a_report_that_comes_late_moves_no_call_back(live: Call) -> None:
    assert tell(live, "answered").status == "in_progress"
    assert tell(live, "ringing", at=NOW + 2 * SECOND).status == "in_progress"


def test_a_call_was_answered_when_the_first_report_says_so(live: Call) -> None:
    carrier_reports.store(
        "simulated", [report("answered", live.pk, NOW + SECOND), report("machine", live.pk, NOW + 4 * SECOND)]
    )
    carrier_reports.apply_stored(limit=100, now=NOW + 5 * SECOND)

    live.refresh_from_db()
    assert live.answered_at == NOW + SECOND


def test_a_first_call_that_connects_is_no_callback(live: Call) -> None:
    tell(live, "ringing", "answered")

    assert told() == ["call.started"]


def test_a_machine_that_answers_starts_no_talk(live: Call) -> None:
    assert tell(live, "ringing", "machine").status == "in_progress"

    assert told() == []


def test_a_report_is_applied_once(live: Call) -> None:
    carrier_reports.store("simulated", [report("ringing", live.pk, NOW)])

    assert [carrier_reports.apply_stored(limit=10, now=NOW) for _ in range(2)] == [1, 0]
    assert CarrierEvent.objects.get().applied_at == NOW


def test_a_report_of_a_call_that_was_withdrawn_is_kept_as_evidence_only() -> None:
    call = make_call(status="withdrawn")

    assert tell(call, "answered").status == "withdrawn"

    assert CarrierEvent.objects.get().note == "the call is withdrawn"
    assert told() == []


def test_a_report_of_a_call_that_was_put_back_proves_that_the_carrier_has_it(carrier: InProcessCarrier) -> None:
    carrier.answer = lambda _: Busy(reason="at_capacity", retry_after=5 * SECOND)
    make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK))
    dial(NOW)
    call = Call.objects.get(status="queued")

    call = tell(call, "ringing")

    assert (call.status, call.dialing_at) == ("ringing", NOW + SECOND)
    assert dial(NOW + 10 * SECOND)["placed"] == 0
    assert len(carrier.placed) == 1


def test_a_call_that_falls_silent_after_a_report_is_looked_up_a_minute_later(
    carrier: InProcessCarrier, live: Call
) -> None:
    carrier.fate = lambda call_id: Found(reports=[ended(call_id, NOW + 9 * SECOND, "busy")], is_live=False)
    tell(live, "ringing")

    assert reconciliation.check_due(limit=10, now=NOW + SECOND + carrier_reports.QUIET - SECOND) == 0
    assert reconciliation.check_due(limit=10, now=NOW + SECOND + carrier_reports.QUIET) == 1


def test_reports_that_a_worker_is_at_are_left_to_it(live: Call) -> None:
    carrier_reports.store("simulated", [report("ringing", live.pk, NOW)])
    taken, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            assert carrier_reports.apply_stored(limit=10, now=NOW) == 1
            taken.set()
            go_on.wait(PATIENCE)
        connection.close()

    worker = threading.Thread(target=hold)
    worker.start()
    assert taken.wait(PATIENCE)
    with connection.cursor() as cursor:
        # Whoever waits for the first worker fails instead of waiting for ever.
        cursor.execute("SET lock_timeout = '5s'")
    try:
        assert carrier_reports.apply_stored(limit=10, now=NOW) == 0
    finally:
        go_on.set()
        worker.join(PATIENCE)
        connection.close()
