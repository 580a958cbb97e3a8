"""What works: how often calls connect by attempt, hour, weekday, gap or policy, and which promises were kept.

Computed from the calls and promises of a period, each by one statement over an index by time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from django.db import OperationalError, transaction
from psycopg.errors import QueryCanceled

from callbacks.deadlines import LATE_AFTER
from callbacks.rules.connect_rate import Rate, rate
from dialer.models import RetryPolicy
from dialer.rules.statuses import ENVELOPE_STATUS
from dialer.rules.window_settings import WEEKDAYS
from dialer.workspaces.statements import fetch, run

LONGEST_PERIOD = timedelta(days=92)
LONGEST_GAP = timedelta(days=31)
"""Longer than the longest delay of a retry, or of a promise; the previous attempt is looked for so far back."""
LONGEST_SECONDS = 15
"""A statement that takes longer is given up, so that figures do not slow down calls."""
_TALKED = [outcome.value for outcome, status in ENVELOPE_STATUS.items() if status == "completed"]
_GAPS = (
    (15, "under 15 minutes"),
    (60, "15 to 60 minutes"),
    (4 * 60, "1 to 4 hours"),
    (12 * 60, "4 to 12 hours"),
    (24 * 60, "12 to 24 hours"),
    (48 * 60, "1 to 2 days"),
    (7 * 24 * 60, "2 to 7 days"),
)
_OVER_ALL_GAPS = "7 to 31 days"


class NoFigures(Exception):
    """The figures cannot be had now; the message says what to do."""


class FiguresTookTooLong(NoFigures):
    """There are too many calls in the period; name a shorter one, or a campaign."""


class FiguresAsked(NoFigures):
    """The workspace's figures are being computed for somebody else; ask again in a moment."""


class GroupBy(StrEnum):
    """What calls are compared by."""

    ATTEMPT = "attempt"  # the number of the attempt in its chain
    HOUR = "hour"  # of the day, on the contact's clock
    WEEKDAY = "weekday"  # on the contact's clock
    GAP = "gap"  # the time since the previous attempt ended; first ones, and those over 31 days later, are left out
    POLICY = "policy"  # the campaign's retry policy of today, else the default one


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The calls and promises that are looked at."""

    workspace_id: UUID
    since: datetime
    until: datetime
    campaign_id: UUID | None = None
    policy_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Calls with something in common; ``key`` is ``None`` for those of which it is not known."""

    key: str | None
    text: str
    rate: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Connects:
    """How often calls connected, together and by group."""

    total: Rate
    groups: Sequence[Group]


class _Counted(NamedTuple):
    key: int | None
    calls: int
    answered: int


class _CountedByPolicy(NamedTuple):
    key: UUID | None
    calls: int
    answered: int


_ON_THE_CONTACTS_CLOCK = """
    JOIN dialer_contact p ON p.id = c.contact_id
    LEFT JOIN (SELECT name FROM pg_timezone_names) z
        ON z.name = p.zones->>0 AND jsonb_array_length(p.zones) = 1
"""
_KEYS: Mapping[GroupBy, str] = {
    GroupBy.ATTEMPT: "c.attempt_number",
    GroupBy.HOUR: "extract(hour FROM c.dialing_at AT TIME ZONE z.name)::int",
    GroupBy.WEEKDAY: "extract(isodow FROM c.dialing_at AT TIME ZONE z.name)::int",
    GroupBy.GAP: "width_bucket(extract(epoch FROM c.dialing_at - c.previous_at)::float8 / 60, %(gaps)s::float8[])",
    GroupBy.POLICY: "coalesce(k.retry_policy_id, %(default_policy)s)",
}
_JOINS: Mapping[GroupBy, str] = {GroupBy.HOUR: _ON_THE_CONTACTS_CLOCK, GroupBy.WEEKDAY: _ON_THE_CONTACTS_CLOCK}
_CALLS = "dialer_call"
# MATERIALIZED, so that calls are read in the order of the table: in that of chains it took 26 s, not 12 (ADR 19).
_CALLS_WITH_PREVIOUS = """(
    WITH ended AS MATERIALIZED (
        SELECT workspace_id, campaign_id, chain_id, direction, status, outcome, dialing_at, ended_at FROM dialer_call
        WHERE workspace_id = %(workspace)s AND dialing_at >= %(since_previous)s AND dialing_at < %(until)s
            AND direction = 'outbound' AND status = 'ended'
    )
    SELECT *, lag(ended_at) OVER (PARTITION BY chain_id ORDER BY dialing_at) AS previous_at FROM ended
)"""
_OF_CAMPAIGNS = "LEFT JOIN dialer_campaign k ON k.id = {row}.campaign_id"


def connects(scope: Scope, by: GroupBy) -> Connects:
    """Count the calls handed over in a period that ended, but for those that we cancelled ourselves.

    A call counts as answered if a person talked. Raises :class:`NoFigures`.
    """
    row: Any = _CountedByPolicy if by is GroupBy.POLICY else _Counted
    rows = _figures(
        row,
        "connects",
        f"""
        SELECT {_KEYS[by]} AS key, count(*)::int AS calls,
            (count(*) FILTER (WHERE c.outcome = ANY(%(talked)s)))::int AS answered
        FROM {_CALLS_WITH_PREVIOUS if by is GroupBy.GAP else _CALLS} c {_campaign_join("c", scope, by=by)}
        {_JOINS.get(by, "")}
        WHERE c.workspace_id = %(workspace)s AND c.dialing_at >= %(since)s AND c.dialing_at < %(until)s
            AND c.direction = 'outbound' AND c.status = 'ended' AND c.outcome <> 'cancelled'
            {_filters("c", scope)}
            {"AND c.previous_at IS NOT NULL" if by is GroupBy.GAP else ""}
        GROUP BY 1 ORDER BY 1
        """,  # noqa: S608 — constants of this module
        scope,
        talked=_TALKED,
        gaps=[float(minutes) for minutes, _ in _GAPS],
        since_previous=scope.since - LONGEST_GAP,
    )
    names = _policy_names(scope.workspace_id) if by is GroupBy.POLICY else {}
    return Connects(
        total=rate(calls=sum(row.calls for row in rows), answered=sum(row.answered for row in rows)),
        groups=[_group(by, row.key, names, rate(calls=row.calls, answered=row.answered)) for row in rows],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """Promises of a period by what became of them, and how late those were that were called, in seconds."""

    kept: int
    late: int
    broken: int
    handled: int
    withdrawn: int
    waiting: int
    lateness_p50: float | None
    lateness_p95: float | None


class _Promises(NamedTuple):
    kept: int
    late: int
    handled: int
    withdrawn: int
    waiting: int
    total: int
    lateness: list[float] | None


def promises(scope: Scope, *, now: datetime) -> Promises:
    """Count the promises whose time was in the period and has passed; a promise that was moved counts at its last time.

    ``kept``: called within 15 minutes; ``late``: called later. Not called are those ``handled`` by other means,
    those ``withdrawn`` before their 15 minutes were over, those ``waiting`` that have some of them left; and the rest,
    ``broken``. Raises :class:`NoFigures`.
    """
    row = _figures(
        _Promises,
        "promises_kept",
        f"""
        SELECT count(*) FILTER (WHERE b.dialled_at <= b.in_time)::int AS kept,
            count(*) FILTER (WHERE b.dialled_at > b.in_time)::int AS late,
            count(*) FILTER (WHERE b.dialled_at IS NULL AND b.status = 'completed')::int AS handled,
            count(*) FILTER (WHERE b.dialled_at IS NULL AND b.status IN ('cancelled', 'superseded')
                AND b.updated_at <= b.in_time)::int AS withdrawn,
            count(*) FILTER (WHERE b.dialled_at IS NULL AND b.status = 'pending' AND b.in_time >= %(now)s)::int
                AS waiting,
            count(*)::int AS total,
            percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
                ORDER BY extract(epoch FROM greatest(b.dialled_at - b.scheduled_at, interval '0'))::float8
            ) FILTER (WHERE b.dialled_at IS NOT NULL) AS lateness
        FROM (
            SELECT b.*, b.scheduled_at + %(grace)s AS in_time
            FROM callbacks_callback b {_campaign_join("b", scope)}
            WHERE b.workspace_id = %(workspace)s AND b.type <> 'auto_retry'
                AND b.scheduled_at >= %(since)s AND b.scheduled_at < least(%(until)s, %(now)s) {_filters("b", scope)}
        ) AS b
        """,  # noqa: S608 — constants of this module
        scope,
        now=now,
        grace=LATE_AFTER,
    )[0]
    p50, p95 = row.lateness or (None, None)
    return Promises(
        kept=row.kept,
        late=row.late,
        broken=row.total - row.kept - row.late - row.handled - row.withdrawn - row.waiting,
        handled=row.handled,
        withdrawn=row.withdrawn,
        waiting=row.waiting,
        lateness_p50=p50,
        lateness_p95=p95,
    )


def _campaign_join(row: str, scope: Scope, *, by: GroupBy | None = None) -> str:
    is_needed = by is GroupBy.POLICY or scope.policy_id is not None
    return _OF_CAMPAIGNS.format(row=row) if is_needed else ""


def _filters(row: str, scope: Scope) -> str:
    campaign = f"AND {row}.campaign_id = %(campaign)s" if scope.campaign_id is not None else ""
    policy = "AND coalesce(k.retry_policy_id, %(default_policy)s) = %(policy)s" if scope.policy_id is not None else ""
    return f"{campaign} {policy}"


class _Alone(NamedTuple):
    is_mine: bool


# Whoever asks again and again takes one connection of the database, not all.
_ALONE = "SELECT pg_try_advisory_xact_lock(hashtext('figures'), hashtext(%(workspace)s::text)) AS is_mine"


def _figures(row: Any, name: str, sql: str, scope: Scope, **params: object) -> list[Any]:  # noqa: ANN401 — a NamedTuple
    default = RetryPolicy.objects.in_workspace(scope.workspace_id).filter(is_default=True, archived_at=None)
    try:
        with transaction.atomic():
            if not fetch(_Alone, "figures_alone", _ALONE, {"workspace": scope.workspace_id})[0].is_mine:
                raise FiguresAsked(FiguresAsked.__doc__)
            run("figures_limits", f"SET LOCAL statement_timeout = '{LONGEST_SECONDS}s'; SET LOCAL work_mem = '64MB'")
            return fetch(
                row,
                name,
                sql,
                {
                    "workspace": scope.workspace_id,
                    "since": scope.since,
                    "until": scope.until,
                    "campaign": scope.campaign_id,
                    "policy": scope.policy_id,
                    "default_policy": default.values_list("pk", flat=True).first(),
                    **params,
                },
            )
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise FiguresTookTooLong(FiguresTookTooLong.__doc__) from error
        raise


def _policy_names(workspace_id: UUID) -> Mapping[UUID, RetryPolicy]:
    found: Mapping[UUID, RetryPolicy] = RetryPolicy.objects.in_workspace(workspace_id).in_bulk()
    return found


def _group(by: GroupBy, key: int | UUID | None, policies: Mapping[UUID, RetryPolicy], its_rate: Rate) -> Group:
    """Name a group for programs and for people."""
    if key is None:
        text = "no policy" if by is GroupBy.POLICY else "the contact's clock is not known"
        return Group(key=None, text=text, rate=its_rate)
    if isinstance(key, UUID):
        policy = policies[key]
        return Group(key=policy.public_id, text=policy.name, rate=its_rate)
    match by:
        case GroupBy.HOUR:
            return Group(key=str(key), text=f"{key:02}:00", rate=its_rate)
        case GroupBy.WEEKDAY:
            name = WEEKDAYS[key - 1]
            return Group(key=name, text=name.capitalize(), rate=its_rate)
        case GroupBy.GAP:
            bounds = ["0", *(str(minutes) for minutes, _ in _GAPS)]
            text = _GAPS[key][1] if key < len(_GAPS) else _OVER_ALL_GAPS
            return Group(key=bounds[key], text=text, rate=its_rate)
        case _:
            return Group(key=str(key), text=f"attempt {key}", rate=its_rate)
