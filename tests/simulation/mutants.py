"""Engines with something taken out, each with the small world that shows it and the rules that it must break.

A mutant is a statement rewritten on its way to the database, or a function replaced. A checker that finds nothing wrong
with them proves nothing; so every rule that it knows has one that breaks this rule and no other.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection

from callbacks import bulk, follow_ups, scheduling
from callbacks.rules import retry
from dialer.calls import context as facts
from dialer.calls import events
from dialer.calls.listener import CallEnd, EndedCall
from dialer.carriers.base import CannotSay
from dialer.dialing import carrier_reports, completion, eligibility, line_health, placing, reconciliation
from dialer.messages import messages
from dialer.messages import reports as message_reports
from dialer.rules import contact_limits, openings
from dialer.rules import eligibility as eligibility_rules
from dialer.rules.contact_limits import Handed
from dialer.rules.eligibility import Candidate, Eligibility
from dialer.rules.statuses import Outcome
from dialer.tasks import dialling
from tests.concurrency.interleaving import Mutant as Rewriting
from tests.concurrency.interleaving import Rewrites
from tests.simulation import scenes
from tests.simulation.checker import Rule
from tests.simulation.drills import Drill
from tests.simulation.engine import Engine


class _Rewriting(Rewriting):
    """Remembers which statements it met: a mutant whose statement has another name now would test nothing."""

    def __init__(self, rewrites: Rewrites) -> None:
        super().__init__(rewrites)
        self.met: set[str] = set()

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        self.met.update(name for name in self.rewrites if sql.startswith(f"/* {name} */"))
        return super().__call__(execute, sql, params, many, context)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """What is taken out, where that shows, and the rules that must be seen broken, and no others."""

    name: str
    breaks: frozenset[Rule]
    drill: Drill
    rewrites: Rewrites = field(default_factory=dict)
    patches: Sequence[tuple[object, str, object]] = ()
    index: str = ""
    """A unique index that holds the rule too, in the database; it is missing while the mutant is at work."""

    @contextmanager
    def at_work(self) -> Generator[None]:
        """Run this thread's engine without the guard."""
        rewriting = _Rewriting(self.rewrites)
        with ExitStack() as stack:
            stack.enter_context(_without(self.index))
            stack.enter_context(connection.execute_wrapper(rewriting))
            for module, name, replacement in self.patches:
                stack.enter_context(mock.patch.object(module, name, replacement))
            yield
        assert rewriting.met == self.rewrites.keys(), f"only {rewriting.met} were there to be rewritten"


@contextmanager
def _without(index: str) -> Iterator[None]:
    """Drop an index, and make it again on a table that is empty: what broke it meanwhile cannot stay."""
    if not index:
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef, tablename FROM pg_indexes WHERE indexname = %s", [index])
        definition, table = cursor.fetchone()
        cursor.execute(f'DROP INDEX "{index}"')
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f'TRUNCATE "{table}" CASCADE')
            cursor.execute(definition)


_delay = retry._delay  # noqa: SLF001 — what the mutants replace
_decide = completion._make_follow_ups  # noqa: SLF001
_requests = placing._requests  # noqa: SLF001
_ask_one = placing._ask_one  # noqa: SLF001
_end = carrier_reports._end  # noqa: SLF001
_ask_text = messages._ask  # noqa: SLF001
_settle = reconciliation._settle  # noqa: SLF001
_call_exhausted = events.call_exhausted
_allowed_from = contact_limits.allowed_from


def _with_delay(change: Callable[[int, Any, Any], int]) -> tuple[object, str, object]:
    def delay(settings: retry.Resolved, rule: retry.OutcomeRule, *, used: int) -> int:
        return change(_delay(settings, rule, used=used), settings, rule)

    return retry, "_delay", delay


def _judge_with(**changes: Any) -> tuple[object, str, object]:
    """Let the gate see a candidate that is changed so; ``forced`` is added, a callable is given the time."""

    def eligibility_of(candidate: Candidate, *, ledger: Sequence[Handed], now: datetime) -> Eligibility:
        seen = {name: value(now) if callable(value) else value for name, value in changes.items()}
        if "forced" in seen:
            seen["forced"] = candidate.forced | seen["forced"]
        return eligibility_rules.eligibility_of(replace(candidate, **seen), ledger=ledger, now=now)

    return eligibility, "eligibility_of", eligibility_of


def _decide_without_counting(settings: retry.Resolved, **told: Any) -> retry.Retry | retry.Stop:
    return retry.decide(settings, **{**told, "used": 0})


def _decide_and_exhaust(ended: Sequence[EndedCall], *, now: datetime) -> list[Any]:
    told = _decide(ended, now=now)
    early = [
        _call_exhausted(
            each.call,
            events.only_call(each.call, each.end),
            result="exhausted",
            reason="exhausted",
            attempts=each.call.attempt_number,
            at=each.end.at,
        )
        for each in ended
    ]
    return [*told, *early]


def _decide_and_exhaust_twice(ended: Sequence[EndedCall], *, now: datetime) -> list[Any]:
    told = _decide(ended, now=now)
    ends = [event for event in told if event.type == "call.exhausted"]
    return [*told, *(event._replace(unique_key=f"{event.unique_key}:again") for event in ends)]


def _always_reached(*facts_: Any, **told: Any) -> Any:
    return _call_exhausted(*facts_, **{**told, "result": "reached"})


def _ask_twice(line: Any, request: Any, *, until: float) -> Any:
    _ask_one(line, request, until=until)
    return _ask_one(line, request, until=until)


def _requests_with(change: Callable[[Any], dict[str, Any]]) -> tuple[object, str, object]:
    def requests(rows: Sequence[Any]) -> Any:
        return [
            (line, replace(asked, **change(call))) for call, (line, asked) in zip(rows, _requests(rows), strict=True)
        ]

    return placing, "_requests", requests


def _busy_is_no_answer(call_id: UUID, row: Any, details: Any) -> CallEnd:
    return _end(call_id, row, details)._replace(outcome=Outcome.NO_ANSWER)


def _give_up(call: Any, answer: Any, *, now: datetime) -> None:
    reconciliation._end_unknown(call.call.call_id, now=now)  # noqa: SLF001


def _settle_and_stumble(call: Any, answer: Any, *, now: datetime) -> None:
    _settle(call, answer, now=now)
    if isinstance(answer, CannotSay):
        return
    message = "stumbled"
    raise RuntimeError(message)


def _at_once(dispatched: Any) -> Iterator[tuple[datetime, Any]]:
    for call in dispatched:
        yield call.start_at - timedelta(hours=1), [call]


def _as_it_was_asked(setting: Any, wanted: datetime, **_: Any) -> openings.Possible:
    return openings.Possible(at=wanted, shifts=(), zones=("UTC",), source="contact", was_cut=False)


def _counting_all_campaigns(limits: Any, *, ledger: Any, campaign_id: Any, at: datetime) -> datetime:
    return _allowed_from([replace(limit, scope="number") for limit in limits], ledger=ledger, campaign_id=None, at=at)


_OTHER_WORKSPACE = "SELECT w.id FROM workspaces_workspace w WHERE w.id <> t.workspace_id LIMIT 1"


def _second_pass(local: datetime, zone: str) -> datetime:
    return local.replace(tzinfo=ZoneInfo(zone), fold=1).astimezone(UTC)


def _only(rule: Rule) -> frozenset[Rule]:
    return frozenset({rule})


MUTANTS = (
    Mutant(
        name="retries at double the delay",
        breaks=_only(Rule.RETRIES_AT_THEIR_TIME),
        drill=scenes.NOBODY_ANSWERS,
        patches=[_with_delay(lambda delay, *_: 2 * delay)],
    ),
    Mutant(
        name="retries at half the delay",
        breaks=_only(Rule.RETRIES_AT_THEIR_TIME),
        drill=scenes.NOBODY_ANSWERS,
        patches=[_with_delay(lambda delay, *_: delay // 2)],
    ),
    Mutant(
        name="always the first delay",
        breaks=_only(Rule.RETRIES_AT_THEIR_TIME),
        drill=scenes.NOBODY_ANSWERS,
        patches=[_with_delay(lambda *given: given[2].delays[0])],
    ),
    Mutant(
        name="a campaign's limit counts all campaigns",
        breaks=_only(Rule.RETRIES_AT_THEIR_TIME),
        drill=scenes.TWO_CAMPAIGNS_WITH_LIMITS,
        patches=[(openings, "allowed_from", _counting_all_campaigns)],
    ),
    Mutant(
        name="the ledger reads the first limit's period",
        breaks=frozenset({Rule.RETRIES_AT_THEIR_TIME, Rule.CONTACT_LIMITS}),
        drill=scenes.A_SHORT_AND_A_LONG_LIMIT,
        patches=[(facts, "longest_period", lambda limits: limits[0].period)],
    ),
    Mutant(
        name="a promise is not moved into the window",
        breaks=_only(Rule.PROMISES_AT_THEIR_TIME),
        drill=scenes.PROMISED_AT_NIGHT,
        patches=[(scheduling, "_possible", _as_it_was_asked)],
    ),
    Mutant(
        name="k is not counted",
        breaks=_only(Rule.RETRIES_WITHIN_THE_LIMIT),
        drill=scenes.TWO_RETRIES,
        patches=[(follow_ups, "decide", _decide_without_counting)],
    ),
    Mutant(
        name="no retry is made",
        breaks=_only(Rule.ENDS_ARE_FOLLOWED),
        drill=scenes.NOBODY_ANSWERS,
        patches=[(follow_ups, "make_retries", lambda *_, **__: {})],
    ),
    Mutant(
        name="exhausted is told too early",
        breaks=_only(Rule.EXHAUSTED_AT_THE_END),
        drill=scenes.NOBODY_ANSWERS,
        patches=[(completion, "_make_follow_ups", _decide_and_exhaust)],
    ),
    Mutant(
        name="exhausted is told as reached",
        breaks=_only(Rule.EXHAUSTED_AT_THE_END),
        drill=scenes.TWO_RETRIES,
        patches=[(events, "call_exhausted", _always_reached)],
    ),
    Mutant(
        name="exhausted is told twice",
        breaks=_only(Rule.ENDS_ARE_TOLD_ONCE),
        drill=scenes.TWO_RETRIES,
        patches=[(completion, "_make_follow_ups", _decide_and_exhaust_twice)],
    ),
    Mutant(
        name="an answer does not cancel",
        breaks=_only(Rule.AN_ANSWER_ENDS_RETRIES),
        drill=scenes.ANSWERED_BESIDE_A_RETRY,
        rewrites={"needless_retries": (("WHERE", "WHERE false AND"),)},
    ),
    Mutant(
        name="an answer cancels promises too",
        breaks=_only(Rule.NEVER_DIALLED_FOR_A_REASON),
        drill=scenes.PROMISED_DURING_A_TALK,
        rewrites={"needless_retries": (("AND b.type = 'auto_retry'", ""),)},
    ),
    Mutant(
        name="the window is not asked again at dialling",
        breaks=_only(Rule.INSIDE_THE_WINDOW),
        drill=scenes.THE_WINDOW_SHRINKS,
        patches=[_judge_with(forced={"outside_window"})],
    ),
    Mutant(
        name="a suppression comes late",
        breaks=_only(Rule.NOT_AFTER_A_SUPPRESSION),
        drill=scenes.SUPPRESSED,
        rewrites={
            "lock_call_contexts": (
                ("EXISTS (SELECT FROM dialer_suppression", "false AND EXISTS (SELECT FROM dialer_suppression"),
            ),
            "queued_calls_by_number": (("WHERE", "WHERE false AND"),),
        },
    ),
    Mutant(
        name="a pause does not reach what is claimed",
        breaks=_only(Rule.NOT_WHILE_STOPPED),
        drill=scenes.PAUSED_AT_THE_LAST_MOMENT,
        patches=[_judge_with(campaign_status="running")],
        rewrites={"release_claims": (("WHERE", "WHERE false AND"),)},
    ),
    Mutant(
        name="messages carry no countdown",
        breaks=_only(Rule.NOT_BEFORE_ITS_TIME),
        drill=scenes.NOBODY_ANSWERS,
        patches=[_judge_with(due_at=lambda now: now), (dialling, "_slots", _at_once)],
    ),
    Mutant(
        name="stale retries are dialled",
        breaks=_only(Rule.STALE_WAITS),
        drill=scenes.DOWN_FOR_LONG,
        rewrites={
            "take_due_of_campaigns": (("AND (q.not_after IS NULL OR q.not_after >= %(now)s)", ""),),
            "lock_call_contexts": (("c.not_after", "NULL::timestamptz AS not_after"),),
        },
    ),
    Mutant(
        name="the carrier is asked twice",
        breaks=_only(Rule.ONCE_PER_PROMISE),
        drill=scenes.NOBODY_ANSWERS,
        patches=[(placing, "_ask_one", _ask_twice)],
    ),
    Mutant(
        name="a talk is given up for unknown",
        breaks=_only(Rule.ONE_LIVE_CALL),
        drill=scenes.TWO_CAMPAIGNS_ONE_NUMBER,
        patches=[(reconciliation, "_settle", _give_up)],
    ),
    Mutant(
        name="the number of yesterday is dialled",
        breaks=_only(Rule.NUMBER_OF_THAT_MOMENT),
        drill=scenes.THE_NUMBER_CHANGES,
        patches=[_requests_with(lambda fact: {"to": fact.number})],
    ),
    Mutant(
        name="the campaign's number is not shown",
        breaks=_only(Rule.CAMPAIGNS_OWN_NUMBER),
        drill=scenes.NOBODY_ANSWERS,
        patches=[_requests_with(lambda _: {"caller_id": ""})],
    ),
    Mutant(
        name="busy is taken for no answer",
        breaks=_only(Rule.OUTCOMES_ARE_THE_CARRIERS),
        drill=scenes.ALWAYS_BUSY,
        patches=[(carrier_reports, "_end", _busy_is_no_answer)],
    ),
    Mutant(
        name="a retry is made beside a promise",
        breaks=_only(Rule.ONE_ACTIVE_CALLBACK),
        drill=scenes.PROMISED_WHILE_IT_RINGS,
        patches=[(follow_ups, "_pending_of", lambda _: {})],
        index="callback_one_pending_per_contact_and_campaign",
    ),
    Mutant(
        name="messages are lost and leases forgotten",
        breaks=_only(Rule.NOTHING_IS_LOST),
        drill=scenes.TWO_WORKSPACES,
        patches=[(Engine, "_send", lambda *_: None)],
    ),
    Mutant(
        name="callbacks land in another workspace",
        breaks=_only(Rule.WORKSPACES_ARE_APART),
        drill=scenes.TWO_WORKSPACES,
        rewrites={
            "insert_callbacks": (
                ("SELECT workspace_id, type, 'pending'", f"SELECT ({_OTHER_WORKSPACE}), type, 'pending'"),
            )
        },
    ),
    Mutant(
        name="a repeated hour is read as its second pass",
        breaks=_only(Rule.PROMISES_AT_THEIR_TIME),
        drill=scenes.IN_A_REPEATED_HOUR,
        patches=[(scheduling, "instant_of", _second_pass)],
    ),
    Mutant(
        name="a contact's own call completes nothing",
        breaks=_only(Rule.CALLERS_ARE_NOT_CALLED),
        drill=scenes.CALLED_BACK_BY_THEMSELVES,
        patches=[(follow_ups, "complete_for_callers", lambda *_, **__: [])],
    ),
    Mutant(
        name="a bulk action does nothing",
        breaks=_only(Rule.BULKS_DO_WHAT_THEY_SAY),
        drill=scenes.TAKEN_OUT_IN_BULK,
        patches=[(bulk, "_do", lambda *_, **__: None)],
    ),
    Mutant(
        name="failures of a carrier are not noted",
        breaks=_only(Rule.AN_OUTAGE_IS_LEFT_ALONE),
        drill=scenes.THE_CARRIER_IS_AWAY,
        patches=[(line_health, "note", lambda *_, **__: None)],
    ),
    Mutant(
        name="a message is sent twice",
        breaks=_only(Rule.WRITTEN_ONCE),
        drill=scenes.WRITTEN_TO,
        patches=[(messages, "_ask", lambda message: (_ask_text(message), _ask_text(message))[1])],
    ),
    Mutant(
        name="STOP is not heard",
        breaks=_only(Rule.NOT_AFTER_A_SUPPRESSION),
        drill=scenes.WROTE_STOP,
        patches=[(message_reports, "asks_to_stop", lambda _: False)],
    ),
    Mutant(
        name="a look at the carrier fails",
        breaks=_only(Rule.NO_ERRORS),
        drill=scenes.THE_CARRIER_IS_SILENT,
        patches=[(reconciliation, "_settle", _settle_and_stumble)],
    ),
)

BESIDE_A_RIVAL: Rewrites = {"lock_numbers": (("pg_advisory_xact_lock(k)", "k"),)}
"""The limit is not locked: breaks ``CONTACT_LIMITS``, and needs two workers at one number at one moment."""
