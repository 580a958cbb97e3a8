"""The shipped engine driven from event to event: its own tasks, its own clock's answer, no broker and no sleep.

What beat would send is called in its place, what would be published comes back at its second, and PostgreSQL's clock
is answered for: the statement that reads it gets the simulated time. Between two events nothing happens, so nothing
is waited for.
"""

import heapq
import itertools
import random
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest import mock
from uuid import UUID

from django.conf import settings
from django.db import connection

from callbacks import bulk
from callbacks.tasks import run_bulk
from config.celery import BEAT, app
from dialer.carriers.base import Report
from dialer.dialing import carrier_reports
from dialer.dialing.capacity import SOON
from dialer.dialing.claim import Dispatched
from dialer.tasks import dialling
from tests.rows import read

SECOND = timedelta(seconds=1)
HEARTBEAT = timedelta(hours=1)
"""Something looks at the rows at least this often, also where no row names a time."""
NOT_BEATEN = ("dialer.apply_carrier_events", "dialer.resume_imports", "dialer.forget_", "webhooks.", "config.")
"""Tasks that are driven otherwise (the first is a loop that lasts half a minute), or that no call depends on."""
UNHURRIED = timedelta(hours=1)
"""Sweeps that beat sends less often than every second come only so often: they are not what is timed."""
MESSAGE_LOST, MESSAGE_TWICE, MESSAGE_LATE = 0.004, 0.01, 0.004

Work = Callable[[], object]


class Engine:
    """Virtual time, and everything that happens in it."""

    def __init__(
        self, *, start: datetime, seed: str, is_smooth: bool = False, heartbeat: timedelta = HEARTBEAT
    ) -> None:
        self.now = start
        self.heartbeat = heartbeat
        self.is_down = False
        self.place: Callable[[Sequence[tuple[str, int]]], object] = dialling.place_calls
        self.applied: Callable[[Report], None] = lambda _: None
        """Hears of each report after it was applied."""
        self.bulk_ended: Callable[[UUID], None] = lambda _: None
        """Hears of each bulk action that has no rows left."""
        self.steps = 0
        self._heard: list[Report] = []
        app.loader.import_default_modules()
        self._dice = random.Random(f"{seed}:broker")  # noqa: S311 — chance that can be repeated
        self._is_smooth = is_smooth
        self._coming: list[tuple[datetime, int, Work]] = []
        self._order = itertools.count()
        self._last_run: dict[str, datetime] = {}
        self._beaten = [
            (name, SECOND if every <= 1 else UNHURRIED) for name, every, _ in BEAT if not name.startswith(NOT_BEATEN)
        ]

    def clock(self) -> datetime:
        return self.now

    def at(self, when: datetime, work: Work) -> None:
        """Do ``work`` at a time to come; what is due at one instant is done in the order it was asked for."""
        heapq.heappush(self._coming, (max(when, self.now), next(self._order), work))

    def deliver(self, when: datetime, reports: Sequence[Report]) -> None:
        """Let reports of the carrier arrive: the web process stores them, also while no worker runs."""

        def store() -> None:
            carrier_reports.store("simulated", reports)
            self.hear(reports)

        self.at(when, store)

    def hear(self, reports: Sequence[Report]) -> None:
        """Remember what was reported until it is applied."""
        self._heard.extend(reports)

    def fall(self, until: datetime) -> None:
        """Kill all workers; what was on its way to them is lost with the broker."""
        self.is_down = True
        self.at(until, self._rise)

    def run(self, until: datetime) -> None:
        """Let time pass to ``until``."""
        with self._in_place_of_broker_and_clock():
            wake = self.now
            while True:
                when = max(min(wake, self._coming[0][0]) if self._coming else wake, self.now)
                if when > until:
                    break
                self.now = when
                self._do_what_is_due()
                self._work()
                self._do_what_is_due()
                wake = self._next_look()
                self.steps += 1
            self.now = until

    def _do_what_is_due(self) -> None:
        while self._coming and self._coming[0][0] <= self.now:
            heapq.heappop(self._coming)[2]()

    def _rise(self) -> None:
        self.is_down = False

    def _work(self) -> None:
        """Let the workers do what they find, as at a tick of beat."""
        if self.is_down:
            return
        while carrier_reports.apply_stored(limit=dialling.REPORTS, now=self.now) == dialling.REPORTS:
            pass
        heard, self._heard = self._heard, []
        for report in heard:
            self.applied(report)
        for name, every in self._beaten:
            last = self._last_run.get(name)
            if last is None or self.now - last >= every:
                self._last_run[name] = self.now
                app.tasks[name]()

    def _next_look(self) -> datetime:
        """Say when a row next asks for something; beat would look every second and find nothing until then."""
        if self.is_down:
            return self.now + self.heartbeat
        looked_for = {
            "now": self.now,
            "horizon": self.now + timedelta(seconds=settings.HORIZON_SECONDS),
            "ahead": timedelta(seconds=settings.HORIZON_SECONDS),
            "soon": self.now + SOON,
            "just_before": SOON,
        }
        at: datetime | None = read("next_look", _NEXT_LOOK, looked_for)[0].at
        return max(min(at or self.now + self.heartbeat, self.now + self.heartbeat), self.now + SECOND)

    def _publish(self, dispatched: Iterable[Dispatched], **_: object) -> None:
        """Carry messages as a broker does: in their time, but for those that are lost, repeated or late."""
        for start_at, batch in dialling._slots(dispatched):  # noqa: SLF001 — the batches that are shipped
            message = [(str(call.call_id), call.generation) for call in batch]
            chance = 0.5 if self._is_smooth else self._dice.random()
            if chance < MESSAGE_LOST:
                continue
            if chance < MESSAGE_LOST + MESSAGE_TWICE:
                self._send(start_at + SECOND * 3, message)
            late = timedelta(seconds=settings.LEASE_SECONDS + 5) if chance > 1 - MESSAGE_LATE else timedelta()
            self._send(start_at + late, message)

    def nudge_bulk(self, bulk_id: str) -> None:
        """Let a worker go on with a bulk action in a second; where none runs, beat sends it again later."""
        self.at(self.now + SECOND, lambda: None if self.is_down else self._run_bulk(UUID(bulk_id)))

    def _run_bulk(self, bulk_id: UUID) -> None:
        while bulk.run_batch(bulk_id, now=self.now):
            pass
        self.bulk_ended(bulk_id)

    def _send(self, when: datetime, message: Sequence[tuple[str, int]]) -> None:
        self.at(when, lambda: None if self.is_down else self.place(message))

    @contextmanager
    def _in_place_of_broker_and_clock(self) -> Generator[None]:
        with (
            mock.patch.object(dialling, "publish", self._publish),
            mock.patch.object(dialling, "database_now", self.clock),
            mock.patch.object(run_bulk, "delay", self.nudge_bulk),
            connection.execute_wrapper(self.tell_time),
        ):
            yield

    def tell_time(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        """Answer for PostgreSQL's clock, also where a task asks it that is not known here."""
        if sql == "SELECT clock_timestamp()":
            return execute("SELECT %s::timestamptz", [self.now], many, context)
        return execute(sql, params, many, context)


_NEXT_LOOK = """
    SELECT min(at) AS at FROM (
        -- What is due later than the horizon, taken into it.
        SELECT min(c.due_at) - %(ahead)s AS at FROM dialer_call c LEFT JOIN dialer_campaign k ON k.id = c.campaign_id
        WHERE c.status = 'queued' AND c.lease_until IS NULL AND c.due_at > %(horizon)s
            AND (k.status = 'running' OR k.id IS NULL)
        UNION ALL
        -- What is near and was not claimed, because a pace or another limit forbids it.
        SELECT min(due_at) FROM dialer_call
        WHERE status = 'queued' AND lease_until IS NULL AND due_at > %(now)s AND due_at <= %(horizon)s
        UNION ALL
        SELECT min(next_free_at) - %(just_before)s FROM dialer_pace WHERE next_free_at > %(soon)s
        UNION ALL
        SELECT min(due_at) - %(just_before)s FROM dialer_campaigncontact WHERE state = 'waiting' AND due_at > %(soon)s
        UNION ALL
        SELECT min(lease_until) FROM dialer_call WHERE lease_until > %(now)s
        UNION ALL
        SELECT GREATEST(check_at, %(now)s + interval '1 second') FROM dialer_call
        WHERE status IN ('dialing', 'ringing', 'in_progress')
        UNION ALL
        SELECT min(end_at) FROM dialer_campaign WHERE status = 'running' AND end_at > %(now)s
        UNION ALL
        SELECT min(down_until) FROM dialer_line WHERE down_until > %(now)s
    ) AS looks WHERE at > %(now)s
"""
"""The engine has no such statement, for it looks every second; this one only says which seconds can be left out."""
