"""The published examples, what of each must be the same to the letter, and what may stand beside it."""

import json
from pathlib import Path
from typing import Any

from tests.conformance.shapes import Rules

FIXTURES = Path(__file__).with_name("fixtures")

_ENVELOPE = frozenset({"event_id", "workspace_id", "timestamp", "chain_id", "sequence", "metadata"})
"""What the common envelope has, and the examples per event do not repeat."""


def _words(*paths: str) -> frozenset[str]:
    return frozenset(paths)


EXAMPLES = {
    "envelope/envelope": Rules(
        spelled=_words("event"), free=_words("data", "metadata"), extra=_words("chain_id", "sequence", "call_id")
    ),
    "envelope/call.started": Rules(
        spelled=_words(
            "event",
            "data.campaign_id",
            "data.direction",
            "data.channel",
            "data.job_type",
            "data.attempt_number",
            "data.contact.name",
        ),
        extra=_ENVELOPE,
    ),
    "envelope/call.ended": Rules(
        spelled=_words(
            "event",
            "data.status",
            "data.ended_reason",
            "data.retry.will_retry",
            "data.retry.next_retry_at",
            "data.retry.attempt_number",
            "data.retry.max_attempts",
        ),
        extra=_ENVELOPE | {"call_id", "data.campaign_id", "data.contact"},
    ),
    "envelope/callback": Rules(spelled=_words("event"), extra=_ENVELOPE | {"data"}),
    "envelope/call.analyzed": Rules(
        spelled=_words(
            "event",
            "data.call.status",
            "data.call.summary",
            "data.call.outcome_id",
            "data.call.score",
            "data.call.structured_data.interested_product",
            "data.call.structured_data.budget_range",
            "data.contact.name",
            "data.contact.status",
        ),
        extra=_ENVELOPE,
    ),
    "envelope/campaign.ended": Rules(
        spelled=_words("event", "data.campaign_name", "data.end_reason"),
        extra=_ENVELOPE | {f"data.stats.{name}" for name in ("busy", "suppressed", "cancelled")},
    ),
    "batch/CallComplete": Rules(
        spelled=_words(
            *(
                f"[].{path}"
                for path in (
                    "eventType",
                    "data.name",
                    "data.lastStepName",
                    "data.flow[].questionName",
                    "data.flow[].response",
                    "data.flow[].transcript",
                    "data.requests[]",
                    "data.status",
                    "data.additionalInformation",
                    "data.correlationId",
                )
            )
        )
    ),
    "batch/CallAttempted": Rules(spelled=_words("[].status", "[].note")),
    "batch/CallReceived": Rules(spelled=_words("[].type")),
    "batch/SMSSent": Rules(spelled=_words("[].message")),
    "batch/SMSReceived": Rules(spelled=_words("[].message")),
    "status/call_status_callback": Rules(spelled=_words("status")),
    "status/call_schedule_callback": Rules(spelled=_words("status", "from")),
    "status/status_callback": Rules(spelled=_words("status")),
}
"""Every example of what is sent; the one of what is taken in is ``envelope/inline-webhooks``."""


def read(name: str) -> Any:
    return json.loads((FIXTURES / f"{name}.json").read_text())
