"""Beat's schedule entry by entry, and why each is there: what nobody does any more when it is missing.

That each task does its work where only rows say that there is some is shown beside the module it belongs to, in
``test_tasks.py``; that all of them together do it in the processes that are shipped, in ``tests/real_run``.
"""

from dataclasses import dataclass
from typing import Any

import pytest

from config.celery import CLOCKS_APART_SECONDS, QUEUES, app


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    name: str
    every: float
    queue: str
    missing: str
    """What is not done without it."""

    @property
    def task(self) -> str:
        return self.name.split()[0]

    @property
    def arguments(self) -> list[str]:
        return self.name.split()[1:]


SCHEDULE = [
    Entry(name="dialer.tick", every=1, queue="tick", missing="no call that is due is handed to a worker"),
    Entry(
        name="dialer.apply_carrier_events",
        every=1,
        queue="dial",
        missing="no call ends: carriers' reports are stored and nobody reads them",
    ),
    Entry(
        name="dialer.check_open_calls",
        every=1,
        queue="dial",
        missing="a call of which no report comes stays on the phone for ever",
    ),
    Entry(name="dialer.send_messages", every=1, queue="default", missing="no text message is sent"),
    Entry(
        name="dialer.sweep_campaigns",
        every=5,
        queue="default",
        missing="no campaign completes or pauses at its end, and contacts added later get no first call",
    ),
    Entry(
        name="callbacks.keep_deadlines",
        every=10,
        queue="default",
        missing="no promise is told to be late, and no stale retry expires",
    ),
    Entry(
        name="dialer.resume_imports",
        every=15,
        queue="default",
        missing="an import whose message was lost or whose worker was killed stops half way",
    ),
    Entry(
        name="callbacks.resume_bulks",
        every=15,
        queue="default",
        missing="a bulk action whose message was lost or whose worker was killed stops half way",
    ),
    Entry(
        name="dialer.forget_answers",
        every=60,
        queue="default",
        missing="answers kept for repeated requests are kept for ever",
    ),
    Entry(
        name="dialer.forget_sessions",
        every=600,
        queue="default",
        missing="sessions that have expired are kept for ever, with the addresses of people",
    ),
    Entry(
        name="dialer.erase_contacts",
        every=15,
        queue="default",
        missing="events, deliveries and the audit go on naming contacts that were deleted",
    ),
    Entry(
        name="dialer.retain",
        every=60,
        queue="default",
        missing="imports and transcripts are kept for ever, whatever a workspace's settings say",
    ),
    Entry(
        name="dialer.purge_workspaces",
        every=60,
        queue="default",
        missing="what closed workspaces leave is kept for ever",
    ),
    Entry(name="webhooks.deliver_due", every=1, queue="webhooks", missing="no webhook is delivered"),
    Entry(
        name="webhooks.suppress_unheard",
        every=5,
        queue="webhooks",
        missing="what waits for an endpoint that was switched off waits for ever",
    ),
    Entry(
        name="webhooks.mind_endpoints",
        every=5,
        queue="webhooks",
        missing="an endpoint that answers again never gets what failed, and one that is gone is tried for ever",
    ),
    Entry(name="webhooks.replay", every=1, queue="default", missing="a replay that was asked for sends nothing"),
    Entry(
        name="webhooks.retain",
        every=60,
        queue="default",
        missing="days for attempts are not made, and nothing old is forgotten",
    ),
    *(
        Entry(
            name=f"config.heartbeat {queue}",
            every=5,
            queue=queue,
            missing=f"/readyz says that nobody works on the queue {queue}",
        )
        for queue in QUEUES
    ),
]

NUDGED = {
    "dialer.place_calls": "dialer.tick, with the calls it claimed",
    "dialer.hang_up": "whoever cancels a live call, and dialer.check_open_calls does the same",
    "dialer.import_contacts": "the upload, and dialer.resume_imports",
    "callbacks.run_bulk": "whoever starts a job, and callbacks.resume_bulks",
}
"""Tasks that beat does not send, and who does."""

by_name = pytest.mark.parametrize("entry", SCHEDULE, ids=[entry.name for entry in SCHEDULE])


@pytest.fixture(autouse=True, scope="module")
def _registered() -> None:
    app.loader.import_default_modules()


@by_name
def test_beat_sends_the_task_at_its_pace_or_else(entry: Entry) -> None:
    found: dict[str, Any] | None = app.conf.beat_schedule.get(entry.name)

    assert found is not None, f"{entry.name} is not in beat's schedule: {entry.missing}"
    assert (found["task"], list(found["args"])) == (entry.task, entry.arguments)
    assert found["schedule"] == entry.every


@by_name
def test_the_task_goes_to_its_queue_where_a_worker_knows_it(entry: Entry) -> None:
    found = app.conf.beat_schedule[entry.name]

    route = app.amqp.router.route(dict(found["options"]), entry.task, tuple(entry.arguments))

    assert route["queue"].name == entry.queue
    assert entry.queue in QUEUES
    assert entry.task in app.tasks, f"no worker knows {entry.task}"


@by_name
def test_a_message_that_waited_for_two_rounds_is_dropped_as_soon_as_clocks_may_say_so(entry: Entry) -> None:
    """The next one finds the same rows, and a worker that comes back works no pile of old ones off."""
    assert app.conf.beat_schedule[entry.name]["options"]["expires"] == 2 * entry.every + CLOCKS_APART_SECONDS


def test_beat_sends_nothing_that_has_no_reason_here() -> None:
    assert app.conf.beat_schedule.keys() == {entry.name for entry in SCHEDULE}


def test_each_task_is_in_the_schedule_or_is_sent_by_somebody_else() -> None:
    ours = {name for name in app.tasks if not name.startswith(("celery.", "tests.", "bench."))}

    assert ours - {entry.task for entry in SCHEDULE} == NUDGED.keys()
