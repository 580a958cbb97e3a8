"""Attempts go by the day, deliveries in stretches, and nothing that waits goes at all."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from django.db import connection

from dialer.workspaces.clock import database_now
from dialer.workspaces.ids import new_id
from dialer.workspaces.models import Workspace
from tests.concurrency.interleaving import Stop, threads
from tests.factories import make_workspace
from tests.webhooks.rows import make_delivery, make_endpoint, new_event, record
from webhooks.models import BatchItem, Delivery, DeliveryAttempt, Event
from webhooks.retention import DAYS_AHEAD, KEPT, forget_deliveries, forget_early, forget_events, keep_days
from webhooks.tasks import retain

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2031, 5, 10, 12, tzinfo=UTC)
TODAY = NOON.date()


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Partitions are no rows: what a test makes is dropped after it."""
    before = partitions()
    yield
    for name in partitions() - before:
        execute(f"DROP TABLE {name}")


def execute(sql: str, *values: int) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall() if cursor.description else []


def partitions() -> set[str]:
    rows = execute(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'webhooks_deliveryattempt'::regclass"
    )
    return {str(name) for (name,) in rows}


def attempt(delivery: Delivery, at: datetime, *, number: int = 1) -> DeliveryAttempt:
    made: DeliveryAttempt = DeliveryAttempt.objects.create(
        delivery=delivery, number=number, started_at=at, url="http://crm.example/", total_ms=1
    )
    return made


def where(row: DeliveryAttempt) -> str:
    ((name,),) = execute("SELECT tableoid::regclass::text FROM webhooks_deliveryattempt WHERE id = %s", row.pk)
    return str(name)


def test_today_and_the_next_days_have_a_partition_each() -> None:
    days = keep_days(now=NOON)

    assert days.made == [TODAY + timedelta(days=n) for n in range(DAYS_AHEAD + 1)]
    assert keep_days(now=NOON).made == []
    row = attempt(make_delivery(make_endpoint()), NOON)
    assert where(row) == "webhooks_deliveryattempt_20310510"


def test_what_was_caught_before_its_day_was_made_moves_there() -> None:
    delivery = make_delivery(make_endpoint())
    rows = [attempt(delivery, NOON + timedelta(hours=n), number=n + 14) for n in (-13, -12, 0, 12)]
    assert {where(row) for row in rows} == {"webhooks_deliveryattempt_default"}

    keep_days(now=NOON)

    assert [where(row).rpartition("_")[2] for row in rows] == ["default", "20310510", "20310510", "20310511"]


def test_a_day_is_dropped_when_all_of_it_is_older_than_is_kept() -> None:
    keep_days(now=NOON)
    row = attempt(make_delivery(make_endpoint()), NOON)
    midnight = datetime(2031, 5, 11, tzinfo=UTC)

    assert keep_days(now=midnight + KEPT - timedelta(seconds=1)).dropped == []
    assert DeliveryAttempt.objects.filter(pk=row.pk).exists()
    assert keep_days(now=midnight + KEPT).dropped == [date(2031, 5, 10)]

    assert not DeliveryAttempt.objects.filter(pk=row.pk).exists()
    assert "webhooks_deliveryattempt_20310510" not in partitions()


def test_an_attempt_that_is_written_while_its_day_is_made_waits_and_goes_there() -> None:
    delivery = make_delivery(make_endpoint())
    keeper_stops = Stop(before="attach_day")

    with threads({}) as run:
        keeper = run.start(lambda: keep_days(now=NOON), keeper_stops, name="keeper")
        keeper_stops.wait()
        writer = run.start(lambda: attempt(delivery, NOON), name="writer")
        run.held_back(writer, by=keeper)
        keeper_stops.go_on.set()

        assert keeper.result().made[0] == TODAY
        assert where(writer.result()) == "webhooks_deliveryattempt_20310510"


def test_a_sweep_that_cannot_have_its_locks_gives_up_and_the_next_one_succeeds() -> None:
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("SELECT count(*) FROM webhooks_deliveryattempt_default")  # a reader that stays

        assert keep_days(now=NOON).made == []

    assert keep_days(now=NOON).made[0] == TODAY


def test_the_same_attempt_is_written_once_whichever_partition_it_is_in() -> None:
    keep_days(now=NOON)
    delivery = make_delivery(make_endpoint())
    attempt(delivery, NOON)

    with pytest.raises(Exception, match="duplicate key"):
        attempt(delivery, NOON)


def an_old(delivery: Delivery, *, age: timedelta, **fields: object) -> Delivery:
    """Give a delivery the id that one of that age has."""
    moment = int((NOON - age).timestamp() * 1000)
    key = new_id()
    old = type(key)(int=(key.int & ((1 << 80) - 1)) | moment << 80)
    Delivery.objects.filter(pk=delivery.pk).update(id=old, **fields)
    found: Delivery = Delivery.objects.get(pk=old)
    return found


def test_settled_deliveries_go_after_thirty_days_and_pending_ones_stay() -> None:
    settled = {"status": "delivered", "settled_at": NOON}
    thirty_days = timedelta(days=30)
    young = an_old(make_delivery(make_endpoint()), age=thirty_days - timedelta(seconds=1), **settled)
    old = an_old(make_delivery(make_endpoint()), age=thirty_days + timedelta(seconds=1), **settled)
    waiting = an_old(make_delivery(make_endpoint()), age=KEPT * 2)

    assert forget_deliveries(now=NOON, limit=10) == 1

    assert set(Delivery.objects.values_list("pk", flat=True)) == {young.pk, waiting.pk}
    assert old.pk not in {young.pk, waiting.pk}


def test_a_sweep_forgets_no_more_than_its_stretch_the_oldest_first() -> None:
    settled = {"status": "failed", "settled_at": NOON}
    ages = [KEPT + timedelta(days=n) for n in (1, 3, 2)]
    rows = [an_old(make_delivery(make_endpoint()), age=age, **settled) for age in ages]

    assert forget_deliveries(now=NOON, limit=2) == 2

    assert Delivery.objects.get().pk == rows[0].pk


def test_the_task_makes_today_and_the_next_days_and_forgets_what_is_old() -> None:
    now = database_now()
    long_ago = NOON - now + KEPT + timedelta(days=1)
    an_old(make_delivery(make_endpoint()), age=long_ago, status="delivered", settled_at=now - KEPT)
    before = partitions()

    retain.apply(throw=True)

    wanted = {f"webhooks_deliveryattempt_{now + timedelta(days=n):%Y%m%d}" for n in range(DAYS_AHEAD + 1)}
    assert wanted <= partitions()
    assert wanted - before, "no day was left to be made"
    assert not Delivery.objects.exists()


def test_attempts_that_found_no_day_of_their_own_go_too() -> None:
    delivery = make_delivery(make_endpoint())
    attempt(delivery, NOON - KEPT - timedelta(seconds=1))
    young = attempt(delivery, NOON - KEPT, number=2)

    forget_deliveries(now=NOON, limit=10)

    assert DeliveryAttempt.objects.get() == young


def an_event(workspace: Workspace, *, days: float) -> UUID:
    """Record an event that nobody hears, with the id that one of that age has."""
    (made,) = record(new_event(workspace))
    old = UUID(int=(made.int & ((1 << 80) - 1)) | int((NOON - timedelta(days=days)).timestamp() * 1000) << 80)
    Event.objects.filter(pk=made).update(id=old)
    return old


def test_events_go_when_their_workspace_keeps_them_no_longer() -> None:
    a_month, for_ever = make_workspace(keep_events_days=30), make_workspace(keep_events_days=None)
    kept = {an_event(a_month, days=29.9), an_event(for_ever, days=3_000)}
    an_event(a_month, days=30.1)

    assert forget_events(now=NOON, limit=10) == 1

    assert set(Event.objects.values_list("pk", flat=True)) == kept


def test_an_event_stays_while_it_is_to_be_delivered() -> None:
    workspace = make_workspace(keep_events_days=30)
    old = an_event(workspace, days=90)
    Delivery.objects.create(
        workspace=workspace, event_id=old, endpoint=make_endpoint(workspace), due_at=NOON, created_at=NOON
    )

    assert forget_events(now=NOON, limit=10) == 0

    Delivery.objects.all().delete()
    assert forget_events(now=NOON, limit=10) == 1


def test_an_event_stays_while_it_waits_for_others_of_its_array() -> None:
    workspace = make_workspace(keep_events_days=30)
    old = an_event(workspace, days=90)
    BatchItem.objects.create(
        endpoint=make_endpoint(workspace), event_id=old, type="CallComplete", body=b"{}", ready_at=NOON
    )

    assert forget_events(now=NOON, limit=10) == 0


def test_the_oldest_events_go_first_and_no_more_than_a_batch() -> None:
    workspace = make_workspace(keep_events_days=30)
    ids = [an_event(workspace, days=days) for days in (40, 60, 50)]

    assert forget_events(now=NOON, limit=2) == 2

    assert Event.objects.get().pk == ids[0]


def test_deliveries_of_a_workspace_go_early_with_their_attempts_and_pending_ones_stay() -> None:
    a_week, a_month = (make_endpoint(make_workspace(keep_deliveries_days=days)) for days in (7, 30))
    settled = {"status": "delivered", "settled_at": NOON}
    young = an_old(make_delivery(a_week), age=timedelta(days=6.9), **settled)
    old = an_old(make_delivery(a_week), age=timedelta(days=7.1), **settled)
    waiting = an_old(make_delivery(a_week), age=timedelta(days=20))
    theirs = an_old(make_delivery(a_month), age=timedelta(days=29), **settled)
    gone, kept = attempt(old, NOON), attempt(young, NOON)

    assert forget_early(now=NOON, limit=10) == 1

    assert set(Delivery.objects.all()) == {young, waiting, theirs}
    assert list(DeliveryAttempt.objects.all()) == [kept] != [gone]
