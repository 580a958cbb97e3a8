"""The feed skips nothing, however late a transaction commits.

Other tests write in the same PostgreSQL meanwhile, and the feed waits for transactions of every database: so these wait
until it has come as far as they look.
"""

import time
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import transaction

from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.models import Workspace
from dialer.workspaces.statements import run
from tests.concurrency.interleaving import Mutant, Stop, Threads, threads, through
from tests.factories import make_workspace
from tests.webhooks.rows import NOW, make_endpoint, new_event, record
from webhooks import endpoints, feed
from webhooks.feed import Interest, NoSuchEvent
from webhooks.models import Event
from webhooks.outbox import record_events

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 60
UNGUARDED = Mutant({"event_feed": (("AND e.recorded_in < pg_snapshot_xmin(pg_current_snapshot())::text::bigint", ""),)})


@pytest.fixture
def workspace() -> Workspace:
    return make_workspace()


@pytest.fixture
def elsewhere() -> Iterator[Threads]:
    with threads({}) as running:
        yield running


def seen(workspace: Workspace, interest: Interest | None = None, *, after: UUID | None = None) -> list[UUID]:
    page = feed.read(workspace.pk, interest or Interest(), after=after, limit=100)
    return [row.id for row in page.events]


def wait_for(workspace: Workspace, *wanted: UUID, interest: Interest | None = None) -> list[UUID]:
    """Return what the feed shows once it has come to all of ``wanted``."""
    until = time.monotonic() + PATIENCE
    while not set(wanted) <= set(shown := seen(workspace, interest)):
        assert time.monotonic() < until, "the feed never came so far"
        time.sleep(0.02)
    return shown


def commit_late(workspace: Workspace, elsewhere: Threads) -> tuple[list[UUID], list[UUID]]:
    """Let an event be recorded, then another be recorded and committed, and look; then let the first one commit.

    Returns what was shown in between, and what is shown after the newest of that, or after nothing, in the end.
    """
    written = Stop(before="late_commit")

    def record_and_dawdle() -> UUID:
        with transaction.atomic():
            (event_id,) = record_events([new_event(workspace)], now=NOW)
            run("late_commit", "SELECT 1 AS one")
        return event_id

    late = elsewhere.start(record_and_dawdle, written)
    written.wait()
    (early,) = record(new_event(workspace))
    between = seen(workspace)
    written.go_on.set()
    late_id = late.result()
    wait_for(workspace, early, late_id)
    return between, seen(workspace, after=between[-1] if between else None)


def test_an_event_that_commits_late_is_not_passed_over(workspace: Workspace, elsewhere: Threads) -> None:
    between, afterwards = commit_late(workspace, elsewhere)

    assert set(between + afterwards) == set(Event.objects.values_list("id", flat=True))


def test_a_feed_that_does_not_wait_for_older_transactions_would_pass_it_over(
    workspace: Workspace, elsewhere: Threads
) -> None:
    with through(UNGUARDED):
        between, afterwards = commit_late(workspace, elsewhere)

    assert len(between) == 1
    assert afterwards == []
    assert Event.objects.count() == 2


def test_pages_follow_one_another_without_gap_or_repeat(workspace: Workspace) -> None:
    ids = [*record(*(new_event(workspace) for _ in range(3))), *record(*(new_event(workspace) for _ in range(4)))]
    wait_for(workspace, *ids)

    found: list[UUID] = []
    has_more = True
    while has_more:
        page = feed.read(workspace.pk, Interest(), after=found[-1] if found else None, limit=3)
        found += [row.id for row in page.events]
        has_more = page.has_more

    assert found == ids
    assert seen(workspace, after=ids[-1]) == []
    assert not feed.read(workspace.pk, Interest(), after=ids[-4], limit=3).has_more


def test_the_feed_is_of_one_workspace_and_holds_no_tests(workspace: Workspace) -> None:
    endpoint = make_endpoint(workspace)
    endpoints.send_test(endpoint.pk, workspace_id=workspace.pk, actor=SYSTEM, now=NOW)
    record(new_event(make_workspace()))
    (own,) = record(new_event(workspace))

    assert wait_for(workspace, own) == [own]


def test_the_feed_is_filtered_by_type_campaign_call_and_time(workspace: Workspace) -> None:
    campaign, call = UUID(int=1), UUID(int=2)
    (by_type,) = record(new_event(workspace, type="call.started"))
    (by_campaign,) = record(new_event(workspace, campaign_id=campaign))
    (by_call,) = record(new_event(workspace, call_id=call))
    (by_time,) = record(new_event(workspace), now=NOW + timedelta(hours=1))
    wait_for(workspace, by_type, by_campaign, by_call, by_time)

    assert seen(workspace, Interest(type="call.started")) == [by_type]
    assert seen(workspace, Interest(campaign_id=campaign)) == [by_campaign]
    assert seen(workspace, Interest(call_id=call)) == [by_call]
    assert seen(workspace, Interest(since=NOW + timedelta(hours=1))) == [by_time]
    assert seen(workspace, Interest(since=NOW)) == [by_type, by_campaign, by_call, by_time]
    assert seen(workspace, Interest(since=NOW + timedelta(hours=2))) == []


def test_the_body_is_what_was_sent_to_the_byte(workspace: Workspace) -> None:
    (event_id,) = record(new_event(workspace, data={"name": "Zoë ☎", "score": 1.0}))
    wait_for(workspace, event_id)

    (row,) = feed.read(workspace.pk, Interest(), after=None, limit=1).events

    assert bytes(row.body) == bytes(Event.objects.get().body)


def test_nobody_can_go_on_after_an_event_of_another_workspace(workspace: Workspace) -> None:
    (strange,) = record(new_event(make_workspace()))

    with pytest.raises(NoSuchEvent):
        seen(workspace, after=strange)
