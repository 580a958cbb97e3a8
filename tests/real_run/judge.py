"""What the world saw of the run against what was to happen: the carrier's ledger and the receiver's file, no rows.

Pure: evidence in, findings out. The run looks again until all is kept, and tells what is not when it gives up.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from dialer.carriers.simulation.ledger import Place, Text
from tests.real_run.people import Person
from tests.real_run.receiver import Receipt

DIALLING = ("beat", "worker-tick", "worker-dial")
REPORTING = ("web", "worker-dial", "carrier")
TELLING = ("worker-webhooks", "receiver")
DEFAULT = ("beat", "worker-default")
_SHOWN = 6
_ROUNDED = timedelta(seconds=1)
"""Events tell times in whole seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule, what was seen of it, and which processes are to be asked where it is broken."""

    rule: str
    seen: str
    is_kept: bool
    processes: tuple[str, ...]


@dataclass(kw_only=True)
class Plan:
    """What was asked for so far, told by whoever asked."""

    secret: str
    people: list[Person] = field(default_factory=list)
    asking: Person | None = None
    campaigns: int = 0
    text_to: str = ""
    replayed: frozenset[str] = frozenset()
    """Ids of webhooks that came before a replay of all was asked for."""


@dataclass(kw_only=True)
class Evidence:
    places: Sequence[Place]
    texts: Sequence[Text]
    receipts: Sequence[Receipt]

    @cached_property
    def dials(self) -> Mapping[str, list[Place]]:
        """Return each number's calls; a call that is asked for twice counts twice."""
        found = defaultdict(list)
        for place in self.places:
            found[place.to].append(place)
        return found

    @cached_property
    def events(self) -> Sequence[Receipt]:
        """Return each event once, in the order of the facts: webhooks may overtake each other."""
        first: dict[str, Receipt] = {}
        for receipt in self.receipts:
            first.setdefault(receipt.id, receipt)
        return sorted(first.values(), key=lambda event: (event.content["timestamp"], event.content.get("sequence", 0)))

    @cached_property
    def of_number(self) -> Mapping[str, list[Receipt]]:
        """Return the events that speak of a number, or of a call that the carrier was asked to place to it."""
        numbers = {place.public_id: place.to for place in self.places}
        contacts: dict[str, str] = {}
        found = defaultdict(list)
        for event in self.events:
            data = event.content["data"]
            call = data.get("job_id") or data.get("call", {}).get("id")
            contact = data.get("contact") or {}
            phone = data.get("phone") or contact.get("phone") or numbers.get(call)
            phone = phone or contacts.get(data.get("contact_id") or contact.get("id", ""))
            if phone and (known := data.get("contact_id") or contact.get("id")):
                contacts[known] = phone
            if phone:
                found[phone].append(event)
        return found

    def promises(self, phone: str) -> list[datetime]:
        """Return when the callbacks of a number are to be dialled by what was told last of each, in their order."""
        last: dict[int, datetime] = {}
        for event in self.of_number.get(phone, ()):
            if event.event in ("callback.scheduled", "callback.rescheduled"):
                last[event.content["data"]["id"]] = _instant(event.content["data"]["scheduled_at"])
        return [last[key] for key in sorted(last)]

    def ends(self, phone: str) -> list[Receipt]:
        return [e for e in self.of_number.get(phone, ()) if e.event == "call.ended" and _is_outbound(e, self)]


def judge(plan: Plan, evidence: Evidence) -> list[Finding]:
    findings = [
        _called_as_often(plan, evidence),
        _no_call_twice(evidence),
        _none_early(plan, evidence),
        _signed(plan, evidence),
        _ended(plan, evidence),
        _told(plan, evidence),
        _delays(plan, evidence),
        _repeats_are_the_same(evidence),
    ]
    if plan.asking:
        findings.append(_asked_again(plan.asking, evidence))
    if plan.text_to:
        findings.append(_text(plan.text_to, evidence))
    if plan.replayed:
        findings.append(_replayed(plan.replayed, evidence))
    if plan.campaigns:
        findings.append(_campaigns_end(plan.campaigns, evidence))
    return findings


def _called_as_often(plan: Plan, evidence: Evidence) -> Finding:
    wrong = []
    for person in plan.people:
        dials = evidence.dials.get(person.phone, [])
        if len(dials) != person.calls or any(dial.accepted != person.exists for dial in dials):
            wrong.append(f"{person.name} {len(dials)} of {person.calls}")
    known = {person.phone for person in plan.people} | ({plan.asking.phone} if plan.asking else set())
    wrong += [f"{number}, which nobody named" for number in evidence.dials.keys() - known]
    seen = f"{len(plan.people)} people, {len(evidence.places)} calls"
    return _finding("each person is called as often as its script says", seen, wrong, (*DIALLING, *DEFAULT[1:]))


def _no_call_twice(evidence: Evidence) -> Finding:
    asked = Counter(place.call_id for place in evidence.places)
    twice = [f"{call} {count} times" for call, count in asked.items() if count > 1]
    return _finding("the carrier is asked for no call twice", f"{len(asked)} calls", twice, DIALLING)


def _none_early(plan: Plan, evidence: Evidence) -> Finding:
    """A person's first call is a campaign's, unless there are as many promises; each of the rest has its own."""
    early, kept, late = [], 0, timedelta()
    people = [*plan.people, *([plan.asking] if plan.asking else [])]
    for person in people:
        dials, promises = evidence.dials.get(person.phone, []), evidence.promises(person.phone)
        has_first = person.name != "promised"
        for dial, promise in zip(dials[has_first:], promises, strict=False):
            kept, late = kept + 1, max(late, dial.at - promise)
            if dial.at < promise:
                early.append(f"{person.name} {(promise - dial.at).total_seconds():.2f} s early")
    seen = f"{kept} promises kept, the last {late.total_seconds():.2f} s late"
    return _finding("nobody is called before the promised second", seen, early, DIALLING)


def _asked_again(person: Person, evidence: Evidence) -> Finding:
    dials, promises = evidence.dials.get(person.phone, []), evidence.promises(person.phone)
    kept = len(dials) - person.calls
    is_kept = kept >= 1 and len(promises) - kept in (0, 1)  # the last one may not be due yet
    seen = f"asked for {len(promises)}, called again {max(kept, 0)} times"
    wrong = [] if is_kept else [seen]
    return _finding("who asks for a callback gets each one, and one only", seen, wrong, (*DIALLING, *REPORTING))


def _signed(plan: Plan, evidence: Evidence) -> Finding:
    forged = [receipt.id or "no id" for receipt in evidence.receipts if not receipt.is_signed(plan.secret)]
    seen = f"{len(evidence.receipts)} verified"
    return _finding("every webhook is signed with the endpoint's secret", seen, forged, TELLING)


def _ended(plan: Plan, evidence: Evidence) -> Finding:
    wrong = []
    for person in plan.people:
        statuses = [event.content["data"]["status"] for event in evidence.ends(person.phone)]
        if statuses != [person.status] * person.calls:
            wrong.append(f"{person.name} {', '.join(statuses) or 'nothing'}, not {person.calls} x {person.status}")
    seen = f"{len(plan.people)} people"
    return _finding("call.ended says of each call how it ended", seen, wrong, (*REPORTING, *TELLING))


def _told(plan: Plan, evidence: Evidence) -> Finding:
    wrong = []
    for person in plan.people:
        told = Counter(event.event for event in evidence.of_number.get(person.phone, ()))
        wrong += [f"{person.name}: no {name}" for name in (*person.told, "call.attempted") if not told[name]]
        if told["call.exhausted"] != 1:
            wrong.append(f"{person.name}: {told['call.exhausted']} x call.exhausted")
    types = sorted({event.event for event in evidence.events})
    return _finding("what happens to each person is told", f"{len(types)} types", wrong, (*REPORTING, *TELLING))


def _delays(plan: Plan, evidence: Evidence) -> Finding:
    wrong, count = [], 0
    for person in plan.people:
        ended = [e for e in evidence.of_number.get(person.phone, ()) if e.event == "call.attempted"]
        made = [e for e in evidence.of_number.get(person.phone, ()) if e.event == "callback.scheduled"]
        for first, retry in zip(ended, [e for e in made if e.content["data"]["type"] == "auto_retry"], strict=False):
            due = _instant(first.content["data"]["ended_at"]) + person.delay
            count += 1
            if abs(_instant(retry.content["data"]["scheduled_at"]) - due) > _ROUNDED:
                wrong.append(f"{person.name} {retry.content['data']['scheduled_at']}, not {due.isoformat()}")
    return _finding(
        "a retry is due its campaign's delay after its call ended", f"{count} retries", wrong, ("worker-dial",)
    )


def _repeats_are_the_same(evidence: Evidence) -> Finding:
    bodies: dict[str, set[bytes]] = defaultdict(set)
    for receipt in evidence.receipts:
        bodies[receipt.id].add(receipt.body)
    wrong = [key for key, found in bodies.items() if len(found) > 1]
    seen = f"{len(bodies)} webhooks, {len(evidence.receipts) - len(bodies)} came again"
    return _finding("a webhook that comes again has the same bytes", seen, wrong, TELLING)


def _text(phone: str, evidence: Evidence) -> Finding:
    sent = [text for text in evidence.texts if text.to == phone and text.accepted]
    told = [event for event in evidence.events if event.event == "message.sent"]
    seen = f"{len(sent)} at the carrier, {len(told)} told"
    wrong = [] if (len(sent), len(evidence.texts), len(told)) == (1, 1, 1) else [seen]
    return _finding("the text message is sent once and told once", seen, wrong, DEFAULT)


def _replayed(ids: Collection[str], evidence: Evidence) -> Finding:
    came = Counter(receipt.id for receipt in evidence.receipts)
    missing = [key for key in ids if came[key] < 2]
    seen = f"{len(ids) - len(missing)} of {len(ids)}"
    return _finding("what is replayed comes again under its id", seen, missing, (*DEFAULT, *TELLING))


def _campaigns_end(count: int, evidence: Evidence) -> Finding:
    ends = [event for event in evidence.events if event.event == "campaign.ended"]
    wrong = [] if len(ends) == count else [f"{len(ends)} campaign.ended"]
    return _finding("each campaign ends once, when everybody is at the end", f"{count} campaigns", wrong, DEFAULT)


def _finding(rule: str, seen: str, wrong: Sequence[str], processes: tuple[str, ...]) -> Finding:
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        seen = f"{seen}; {'; '.join(wrong[:_SHOWN])}{more}"
    return Finding(rule=rule, seen=seen, is_kept=not wrong, processes=processes)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _is_outbound(event: Receipt, evidence: Evidence) -> bool:
    return event.content["data"]["job_id"] in {place.public_id for place in evidence.places}
