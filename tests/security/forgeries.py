"""What a carrier, or whoever plays one, may say of calls and texts that are not its own to tell of."""

from dialer.carriers.base import MessageReport, Report
from tests.factories import NOW


def a_ring(to_number: str) -> Report:
    return Report(
        kind="ended",
        event_id="forged-ring",
        call_id=None,
        carrier_call_id="forged",
        occurred_at=NOW,
        direction="inbound",
        from_number="+493099999999",
        to_number=to_number,
        outcome="dnc_request",
        transcript="never said",
    )


def a_text(to_number: str) -> MessageReport:
    return MessageReport(
        kind="received",
        message_id=None,
        carrier_message_id="in-1",
        occurred_at=NOW,
        from_number="+493099999999",
        to_number=to_number,
        body="Hello",
    )
