"""A carrier that cannot be reached: no call is lost or risked, and the line is tried again, later each time."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F
from pytest_django.fixtures import Settings

from callbacks.models import Callback
from callbacks.queue_views import why_waiting
from dialer.campaigns import lifecycle
from dialer.carriers.base import Accepted, Answer, Busy, Health, PlaceRequest, Unknown
from dialer.dialing import line_health
from dialer.models import Call, Campaign, Line
from dialer.rules.circuit import FAILURES, LONGEST, REJECTIONS, SHORTEST
from dialer.setup import lines
from dialer.workspaces.audit import SYSTEM
from tests.factories import NOW, ROUND_THE_CLOCK, make_campaign, make_campaign_contact, make_line
from tests.in_process_carrier import InProcessCarrier, in_process_carrier
from tests.pipeline import dial, end_all
from webhooks.models import Event

pytestmark = pytest.mark.django_db(transaction=True)

SECOND = timedelta(seconds=1)
UNREACHABLE = Busy(reason="carrier_down", retry_after=SHORTEST, health=Health.OUT_OF_REACH)
BROKEN = Unknown(reason="HTTP 500", health=Health.OUT_OF_REACH)
REJECTED = Busy(reason="carrier_refuses_credentials", retry_after=SHORTEST, health=Health.REJECTED)


@pytest.fixture
def carrier() -> Iterator[InProcessCarrier]:
    with in_process_carrier() as carrier:
        yield carrier


def a_campaign(contacts: int) -> Campaign:
    campaign = make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [60]})
    for _ in range(contacts):
        make_campaign_contact(campaign)
    return campaign


def accept(request: PlaceRequest) -> Answer:
    return Accepted(carrier_call_id=f"c-{request.call_id}")


def down_until() -> datetime:
    until = Line.objects.get().down_until
    assert until is not None
    return until


def test_a_carrier_that_refuses_connections_is_left_alone_and_no_call_is_lost(carrier: InProcessCarrier) -> None:
    a_campaign(FAILURES + 5)
    carrier.answer = lambda _: UNREACHABLE

    dial(NOW)

    assert NOW + SHORTEST <= down_until() < NOW + SHORTEST + 3 * SECOND
    assert Line.objects.get().down_reason == "carrier_down"
    asked = len(carrier.placed)
    assert dial(NOW + SECOND)["placed"] == 0
    assert len(carrier.placed) == asked
    assert Call.objects.filter(status="queued", dialing_at=None).count() == FAILURES + 5
    assert not Event.objects.filter(type__in=["call.ended", "call.attempted"]).exists()
    assert Campaign.objects.get().status == "running"


def test_one_call_tries_whether_the_carrier_is_back_and_its_answer_lets_the_others_go(
    carrier: InProcessCarrier,
) -> None:
    a_campaign(FAILURES)
    carrier.answer = lambda _: UNREACHABLE
    dial(NOW)
    carrier.placed.clear()

    back = NOW + timedelta(seconds=20)
    assert dial(back) == {"placed": 1, "held": FAILURES - 1, "dropped": 0, "not_ours": 0}
    assert set(Call.objects.filter(status="queued").values_list("held_reason", flat=True)) == {"carrier_down"}
    assert down_until() > back + SHORTEST
    again = back + timedelta(seconds=30)
    carrier.answer = accept
    assert dial(again)["placed"] == 1

    line = Line.objects.get()
    assert (line.down_until, line.failures_in_a_row, line.outages_in_a_row) == (None, 0, 0)
    assert dial(again + 3 * SECOND)["placed"] == FAILURES - 1


def test_a_carrier_that_breaks_opens_the_circuit_and_its_calls_are_looked_up_not_repeated(
    carrier: InProcessCarrier,
) -> None:
    a_campaign(FAILURES)
    carrier.answer = lambda _: BROKEN

    dial(NOW)

    assert down_until() > NOW
    assert Call.objects.filter(status="dialing").count() == FAILURES


def test_outages_grow_to_a_bound(carrier: InProcessCarrier) -> None:
    a_campaign(FAILURES)
    carrier.answer = lambda _: UNREACHABLE
    now = NOW
    for _ in range(10):
        dial(now)
        length = down_until() - now
        now = down_until() + SECOND

    assert length <= LONGEST + 2 * SECOND
    assert length >= LONGEST - SECOND


def test_one_answer_among_failures_proves_the_carrier_alive(carrier: InProcessCarrier) -> None:
    a_campaign(FAILURES + 1)
    answers = iter([*[UNREACHABLE] * FAILURES, Busy(reason="carrier_busy", retry_after=SHORTEST)])
    carrier.answer = lambda _: next(answers)

    dial(NOW)

    assert Line.objects.get().down_until is None


def test_a_callback_that_waits_for_a_carrier_says_so_and_until_when(carrier: InProcessCarrier) -> None:
    a_campaign(1)
    dial(NOW)
    end_all(NOW, "no_answer", lasted=timedelta())
    retry = Callback.objects.get()
    until = retry.scheduled_at + timedelta(minutes=3)
    Line.objects.update(down_until=until)

    waiting = why_waiting([retry], now=retry.scheduled_at)[retry.pk]

    assert (waiting.code, waiting.next_possible_at) == ("carrier_down", until)


def test_a_campaign_fails_where_its_credentials_are_rejected_for_good_and_not_before(
    carrier: InProcessCarrier,
) -> None:
    campaign = a_campaign(1)
    carrier.answer = lambda _: REJECTED
    now = NOW
    for _ in range(REJECTIONS):
        assert lifecycle.fail_unusable(now=now) == 0
        dial(now)
        now = down_until() + SECOND

    assert lifecycle.fail_unusable(now=now) == 1
    campaign.refresh_from_db()
    assert (campaign.status, campaign.end_reason, campaign.end_note) == ("failed", "failed", "credentials_rejected")
    assert list(Event.objects.filter(type__startswith="campaign.").values_list("type", flat=True).order_by("id")) == [
        "campaign.failed",
        "campaign.ended",
    ]


def test_an_outage_however_long_fails_no_campaign(carrier: InProcessCarrier) -> None:
    a_campaign(1)
    Line.objects.update(outages_in_a_row=F("outages_in_a_row") + 1_000, down_reason="carrier_down")

    assert lifecycle.fail_unusable(now=NOW) == 0


def test_new_credentials_are_tried_at_once(carrier: InProcessCarrier, settings: Settings) -> None:
    settings.CARRIERS = {"vendor": "tests.in_process_carrier.VendorAdapter"}
    campaign = a_campaign(1)
    Line.objects.update(carrier="vendor")
    carrier.answer = lambda _: REJECTED
    dial(NOW)
    carrier.answer = accept

    lines.edit_line(
        campaign.line_id, workspace_id=campaign.workspace_id, credentials={"token": "right"}, actor=SYSTEM, now=NOW
    )

    assert Line.objects.get().down_until is None
    assert dial(NOW + timedelta(seconds=10))["placed"] == 1


def test_failures_with_answers_between_them_are_no_outage() -> None:
    line = make_line()
    alive = Busy(reason="carrier_busy", retry_after=SHORTEST)

    for _ in range(FAILURES):
        line_health.note([(Line.objects.get(), alive)], now=NOW)
        line_health.note([(Line.objects.get(), UNREACHABLE)], now=NOW)

    line.refresh_from_db()
    assert (line.failures_in_a_row, line.down_until) == (1, None)


def test_a_fault_of_our_own_neither_closes_nor_opens_the_circuit() -> None:
    line = make_line()
    line_health.note([(line, UNREACHABLE)], now=NOW)

    line_health.note([(Line.objects.get(), Unknown(reason="RuntimeError"))] * FAILURES, now=NOW)

    line.refresh_from_db()
    assert (line.failures_in_a_row, line.down_until) == (1, None)


def test_failures_that_two_workers_note_at_once_all_count() -> None:
    line = make_line()
    noted, go_on = threading.Event(), threading.Event()

    def note_and_wait() -> None:
        with transaction.atomic():
            line_health.note([(line, UNREACHABLE)], now=NOW)
            noted.set()
            assert go_on.wait(20)
        connection.close()

    def note() -> None:
        line_health.note([(line, UNREACHABLE)], now=NOW)
        connection.close()

    first, second = threading.Thread(target=note_and_wait), threading.Thread(target=note)
    first.start()
    assert noted.wait(20)
    second.start()
    with connection.cursor() as cursor:
        waiting = 0
        while second.is_alive() and not waiting:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            (waiting,) = cursor.fetchone()
    go_on.set()
    for worker in (first, second):
        worker.join(20)

    line.refresh_from_db()
    assert line.failures_in_a_row == 2
