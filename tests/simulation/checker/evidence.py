"""All that a verdict is founded on, put side by side.

Evidence comes from outside: the carrier's ledger, what it reported, and the journal of what people asked for and were
answered. The rows are Ringback's claims: they say which call belongs to whom, and are otherwise what is judged.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

from tests.simulation.checker.ends import End, ends_of
from tests.simulation.checker.history import History
from tests.simulation.checker.rows import Rows
from tests.simulation.checker.window import Window
from tests.simulation.record import Record, Request, Text

RING = timedelta(seconds=30)
LONGEST_TRIAL = timedelta(minutes=6)
"""A carrier that was away for long is tried so seldom."""
OVER = ("completed", "cancelled", "failed")


class Rule(StrEnum):
    """All that can be broken; each has a mutant of its own that breaks it."""

    ONCE_PER_PROMISE = "once per promise"  # a call is asked for once, and only where a row promised it
    ONE_LIVE_CALL = "one live call"  # one number, and one person, is on the phone once
    NUMBER_OF_THAT_MOMENT = "the number of that moment"  # a contact is called on the number that is valid then
    CAMPAIGNS_OWN_NUMBER = "the campaign's own number"  # the callee sees the number of the campaign that calls
    INSIDE_THE_WINDOW = "inside the window"
    NOT_AFTER_A_SUPPRESSION = "not after a suppression"
    NOT_WHILE_STOPPED = "not while its campaign is stopped"
    CONTACT_LIMITS = "contact limits"
    NOT_BEFORE_ITS_TIME = "not before its time"
    STALE_WAITS = "stale waits for a person"
    RETRIES_AT_THEIR_TIME = (
        "retries at their time"  # the end of the call, the delay, the window, the limits: to the instant
    )
    PROMISES_AT_THEIR_TIME = (
        "promises at their time"  # the time asked for, or the next that is permitted: to the instant
    )
    RETRIES_WITHIN_THE_LIMIT = "retries within the limit"
    ENDS_ARE_FOLLOWED = "ends are followed"  # where a retry was to be made, one was
    AN_ANSWER_ENDS_RETRIES = "an answer ends retries"
    OUTCOMES_ARE_THE_CARRIERS = "outcomes are the carrier's"  # and what was wished for during the call
    ENDS_ARE_TOLD_ONCE = "ends are told once"
    EXHAUSTED_AT_THE_END = "exhausted at the end"  # not while anything goes on, and with the right result
    NEVER_DIALLED_FOR_A_REASON = "never dialled for a reason"  # each by an excuse that rests on a fact outside
    ONE_ACTIVE_CALLBACK = "one active callback"
    NOTHING_IS_LOST = "nothing is lost"  # what is due is dialled, or held by something that can be seen
    WORKSPACES_ARE_APART = "workspaces are apart"
    CALLERS_ARE_NOT_CALLED = "callers are not called"  # what a contact's own call made needless is completed
    BULKS_DO_WHAT_THEY_SAY = "bulk actions do what they say"
    AN_OUTAGE_IS_LEFT_ALONE = "an outage is left alone"  # a carrier out of reach is tried now and then
    WRITTEN_ONCE = "written once"  # a message is given to the carrier, and once
    NO_ERRORS = "no errors"  # Ringback logs none


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A promise that was broken, and where it is seen."""

    rule: Rule
    seen: str


class Evidence:
    """The three sources, indexed."""

    def __init__(self, record: Record, rows: Rows) -> None:
        self.ledger: Sequence[Request] = record.ledger
        self.history = History(record.journal)
        self.texts: Sequence[Text] = record.texts
        self.last_seq = record.count + 1
        self._record = record
        self.rows = rows
        self.call: Mapping[str, Any] = {row.id: row for row in rows.calls}
        self.callback_of: Mapping[str, Any] = {row.call: row for row in rows.callbacks}

    @cached_property
    def attempts(self) -> dict[str, Request]:
        """The first request for each call that was not refused before it was taken."""
        found: dict[str, Request] = {}
        for request in self.ledger:
            if request.is_attempt:
                found.setdefault(request.call_id, request)
        return found

    @cached_property
    def ends(self) -> dict[str, End]:
        """How calls ended, by what the carrier said."""
        return ends_of(self._record, self.attempts, self.history)

    def was_dialled(self, call_id: str, *, seq: int) -> bool:
        attempt = self.attempts.get(call_id)
        return attempt is not None and attempt.seq <= seq

    @cached_property
    def attempts_to(self) -> dict[tuple[str, str], list[Request]]:
        """Attempts by workspace and number, in order."""
        found: dict[tuple[str, str], list[Request]] = defaultdict(list)
        for request in self.ledger:
            if request.is_attempt and request.call_id in self.call:
                found[self.call[request.call_id].workspace, request.number].append(request)
        return found

    @cached_property
    def attempts_to_contact(self) -> dict[str, list[Request]]:
        found: dict[str, list[Request]] = defaultdict(list)
        for request in self.attempts.values():
            if request.call_id in self.call:
                found[self.call[request.call_id].contact].append(request)
        return found

    @cached_property
    def refused_by_trunk(self) -> frozenset[str]:
        """Calls that the carrier was too busy to take at least once."""
        return frozenset(request.call_id for request in self.ledger if not request.is_attempt)

    @cached_property
    def callbacks_of_contact(self) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = defaultdict(list)
        for callback in self.rows.callbacks:
            found[callback.contact].append(callback)
        return found

    @cached_property
    def callbacks_of_chain(self) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = defaultdict(list)
        for callback in self.rows.callbacks:
            found[callback.chain].append(callback)
        return found

    @cached_property
    def calls_of_chain(self) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = defaultdict(list)
        for call in self.rows.calls:
            found[call.chain].append(call)
        return found

    def campaign_of(self, call: Any, *, seq: int) -> Mapping[str, Any]:
        """Return what was asked for the campaign of a call; nothing outside campaigns."""
        found: Mapping[str, Any] = self.history.of("campaign", call.campaign, seq=seq) if call.campaign else {}
        return found

    def call_settings(self, call: Any) -> Mapping[str, Any]:
        """Return what was asked for the first call of a chain outside campaigns; its retries keep it."""
        told = self.history.all("single call", call.chain)
        return told[0].value if told else {}

    def window_of(self, call: Any, number: str, *, seq: int) -> Window:
        workspace = self.history.of("workspace", call.workspace, seq=seq)
        campaign = self.campaign_of(call, seq=seq)
        return Window(
            [self.call_settings(call), campaign.get("schedule", {}), workspace["schedule"]],
            phone=number,
            fallback_zone=campaign.get("time_zone") or workspace["time_zone"],
        )

    def zone_of(self, callback: Any, *, seq: int) -> str:
        """Return the zone in which a time on the contact's clock is read."""
        contact = self.history.of("contact", callback.contact, seq=seq)
        window = self.window_of(self.call[callback.call], contact["phone"], seq=seq)
        return window.zone_read_in(contact["time_zone"])

    def first_start(
        self, callback: Any, at: datetime, *, seq: int, forced: frozenset[str] = frozenset()
    ) -> datetime | None:
        """Return the first instant from ``at`` on at which a callback may start, as things stood at ``seq``."""
        call, contact = self.call[callback.call], self.history.of("contact", callback.contact, seq=seq)
        limits = [] if "contact_limit" in forced else self.limits_on(call, seq=seq)
        counted = [
            request for request in self.attempts_to.get((call.workspace, contact["phone"]), ()) if request.seq <= seq
        ]

        def is_allowed(instant: datetime) -> bool:
            return not _exceeded(limits, counted, instant, call.campaign, self.campaign_called)

        return self.window_of(call, contact["phone"], seq=seq).first_start(
            at,
            own_zone=contact["time_zone"],
            ring=RING,
            is_allowed=is_allowed,
            also=[request.at + timedelta(hours=limit["period_hours"]) for request in counted for limit in limits],
            is_forced="outside_window" in forced,
        )

    def limits_on(self, call: Any, *, seq: int) -> list[Mapping[str, Any]]:
        workspace = self.history.of("workspace", call.workspace, seq=seq)
        return [*workspace["limits"], *self.campaign_of(call, seq=seq).get("limits", ())]

    @cached_property
    def _campaign_shown(self) -> dict[str, str]:
        """Which campaign shows which number of ours to those whom it calls."""
        return {
            entry.value["caller_id"]: subject[0]
            for subject, entries in self.history.of_all("campaign")
            for entry in entries
        }

    def campaign_called(self, request: Request) -> str | None:
        """Return the campaign for which the carrier was asked, by the number that the callee saw."""
        return self._campaign_shown.get(request.caller_id)

    def is_suppressed_at(self, contact: str, *, at: datetime) -> bool:
        told = self.history.at("contact", contact, at=at)
        return self.history.at("suppressed", told["workspace"], told["phone"], at=at) is True

    def was_answered(self, contact: str, campaign: str | None, *, at: datetime) -> bool:
        """Tell whether a worker took up just then that the contact had been talked to for this campaign."""
        return any(
            end.taken_up_at == at and end.outcome in ("answered", "dnc_request")
            for call in self.calls_of[contact, campaign]
            if (end := self.ends.get(call.id))
        )

    @cached_property
    def calls_of(self) -> dict[tuple[str, str | None], list[Any]]:
        found: dict[tuple[str, str | None], list[Any]] = defaultdict(list)
        for call in self.rows.calls:
            found[call.contact, call.campaign].append(call)
        return found

    def is_promised(self, contact: str, campaign: str | None, *, at: datetime, but_not: str = "") -> bool:
        """Tell whether a callback of the contact was pending then: made, and neither dialled nor taken out."""
        return any(
            callback.campaign == campaign
            and callback.chain != but_not
            and callback.created_at <= at
            and self._was_pending(callback, at)
            for callback in self.callbacks_of_contact[contact]
        )

    def _was_pending(self, callback: Any, at: datetime) -> bool:
        attempt = self.attempts.get(callback.call)
        if attempt is not None:
            return attempt.at >= at
        came_back = any(entry.at >= at for entry in self.history.all("undone", callback.call))
        return callback.status in ("pending", "dialing") or callback.updated_at >= at or came_back

    def forced(self, call_id: str, *, seq: int) -> frozenset[str]:
        """Return the checks that an operator let one call pass."""
        return frozenset(self.history.of("forced", call_id, seq=seq) or ())

    def window_allows(self, call: Any, number: str, *, at: datetime, seq: int) -> bool:
        """Judge a start by the settings in force when ``seq`` happened."""
        contact = self.history.of("contact", call.contact, seq=seq)
        return self.window_of(call, number, seq=seq).allows(at, own_zone=contact["time_zone"], ring=RING)

    def exceeded_limit(self, call: Any, number: str, *, at: datetime, seq: int) -> str:
        """Name a limit that one more call at ``at`` exceeds, counting what the ledger shows before ``seq``."""
        earlier = [r for r in self.attempts_to.get((call.workspace, number), ()) if r.seq < seq]
        return _exceeded(self.limits_on(call, seq=seq), earlier, at, call.campaign, self.campaign_called)

    @cached_property
    def _owners(self) -> dict[str, str]:
        return {
            entry.value["phone"]: entry.value["workspace"]
            for _, entries in self.history.of_all("contact")
            for entry in entries
        }

    def owner_of(self, number: str) -> str:
        """Return the workspace that a number was told to; no two share one."""
        return self._owners[number]

    def is_suppressed(self, workspace: str, number: str, *, seq: int) -> bool:
        return self.history.of("suppressed", workspace, number, seq=seq) is True

    def status_of(self, campaign: str | None, *, at: datetime) -> str:
        return self.history.at("campaign_status", campaign, at=at) if campaign else "running"

    def was_out_of_reach(self, since: datetime, until: datetime) -> bool:
        """Tell whether the carrier was away at any time between two instants, or had only just come back."""
        return any(away < until and since < back + LONGEST_TRIAL for away, back in self.outages)

    @cached_property
    def outages(self) -> list[tuple[datetime, datetime]]:
        """When the carrier was out of reach; one that is not over ends with what is known."""
        entries = self.history.all("carrier")
        found = []
        for entry in entries:
            if entry.value == "away":
                back = (later.at for later in entries if later.seq > entry.seq and later.value == "back")
                found.append((entry.at, next(back, self.rows.at)))
        return found

    def has_stood_still(self, since: datetime, until: datetime) -> bool:
        """Tell whether the workers were down at any time between two instants."""
        entries = self.history.all("workers")
        times = [entry.at for entry in entries]
        first, last = bisect_left(times, since), bisect_right(times, until)
        was_down = first > 0 and entries[first - 1].value == "down"
        return was_down or any(entry.value == "down" for entry in entries[first:last])


def _exceeded(
    limits: Iterable[Mapping[str, Any]],
    earlier: Sequence[Request],
    at: datetime,
    campaign: str | None,
    campaign_called: Callable[[Request], str | None],
) -> str:
    """Count by hand, limit by limit: a call counts for as long as its period has not passed, to the instant."""
    for limit in limits:
        since = at - timedelta(hours=limit["period_hours"])
        counted = [
            request
            for request in earlier
            if since < request.at and (limit["scope"] == "number" or campaign_called(request) == campaign)
        ]
        if len(counted) >= limit["max"]:
            return f"{len(counted)} calls within {limit['period_hours']} h before, at most {limit['max']}"
    return ""
