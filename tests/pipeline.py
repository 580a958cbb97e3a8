"""The engine driven by hand: claim, place and report at a time that the test names."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from dialer.dialing import carrier_reports, placing
from dialer.dialing import claim as dispatch
from dialer.dialing.placing import Claim
from dialer.models import Call
from tests.in_process_carrier import InProcessCarrier, ended, in_process_carrier


@pytest.fixture
def carrier() -> Iterator[InProcessCarrier]:
    with in_process_carrier() as carrier:
        yield carrier


def claim(now: datetime, *, limit: int = 500) -> list[Claim]:
    return [
        Claim(call_id=call.call_id, generation=call.generation) for call in dispatch.claim_due(limit=limit, now=now)
    ]


def dial(now: datetime) -> dict[str, int]:
    """Claim what is due and place it at ``now``."""
    return placing.place(claim(now), now=now)


def end_all(now: datetime, outcome: str, *, lasted: timedelta = timedelta(seconds=20)) -> list[Call]:
    """Let every live call end with ``outcome``; return them as they are then."""
    live = list(Call.objects.filter(status__in=["dialing", "ringing", "in_progress"]).values_list("pk", flat=True))
    at = now + lasted
    carrier_reports.store("simulated", [ended(call_id, at, outcome) for call_id in live])
    carrier_reports.apply_stored(limit=1_000, now=at)
    return list(Call.objects.filter(pk__in=live))
