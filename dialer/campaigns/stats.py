"""Statistics of a campaign: the best result of each contact, and the rates computed from them."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple
from uuid import UUID

from dialer.rules.statuses import ENVELOPE_STATUS, OPEN_STATES, ContactState, Outcome
from dialer.workspaces.statements import fetch


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Contacts by their best result; with ``open`` (not finished yet) they add up to the total."""

    total_contacts: int
    completed: int
    no_answer: int
    busy: int
    failed: int
    voicemail: int
    suppressed: int
    cancelled: int
    open: int
    average_call_duration_seconds: int

    def counts(self) -> dict[str, int]:
        """Return the ``stats`` of the event ``campaign.ended``, when no contact is open any more."""
        counts: dict[str, Any] = asdict(self)
        del counts["open"], counts["average_call_duration_seconds"]
        return counts

    def performance(self) -> dict[str, float]:
        return {
            "connect_rate_percent": self._percent(self.completed),
            "completion_rate_percent": self._percent(self.completed + self.failed),
            "average_call_duration_seconds": self.average_call_duration_seconds,
        }

    def _percent(self, part: int) -> float:
        """Return a percentage with one decimal, halves rounded up."""
        total = self.total_contacts
        return (2_000 * part + total) // (2 * total) / 10 if total else 0.0


# One statement, so that contacts and talks are of the same moment; returns a row even if there are no contacts.
_RESULTS = """
    WITH contacts AS (
        SELECT state, result, count(*)::int AS contacts FROM dialer_campaigncontact
        WHERE campaign_id = %(campaign)s GROUP BY state, result
    ), talks AS (
        SELECT coalesce(round(avg(coalesce(duration_seconds, extract(epoch FROM ended_at - answered_at)))), 0)::int
            AS seconds
        FROM dialer_call
        WHERE campaign_id = %(campaign)s AND outcome IN ('answered', 'dnc_request') AND direction = 'outbound'
    )
    SELECT talks.seconds, contacts.* FROM talks LEFT JOIN contacts ON true
"""


class _Result(NamedTuple):
    """The length of talks and the number of contacts per result; null if there are none."""

    seconds: int
    state: str | None
    result: str | None
    contacts: int | None


def stats(campaign_id: UUID) -> Stats:
    """Count the contacts of a campaign; a contact with a talk counts as completed whatever happened afterwards."""
    rows = fetch(_Result, "campaign_results", _RESULTS, {"campaign": campaign_id})
    found: Counter[str] = Counter()
    for row in rows:
        if row.state is not None and row.result is not None and row.contacts is not None:
            found[bucket(row.state, row.result)] += row.contacts
    buckets = ("completed", "no_answer", "busy", "failed", "voicemail", "suppressed", "cancelled", "open")
    return Stats(
        total_contacts=found.total(),
        average_call_duration_seconds=rows[0].seconds,
        **{bucket: found[bucket] for bucket in buckets},
    )


def bucket(state: str, result: str) -> str:
    """Return the bucket of one contact: the status of its best result, unless it was stopped without a talk."""
    if state in OPEN_STATES:
        return "open"
    status = ENVELOPE_STATUS[Outcome(result)] if result else "failed"
    if status != "completed" and state in (ContactState.SUPPRESSED, ContactState.CANCELLED):
        return state
    return status
