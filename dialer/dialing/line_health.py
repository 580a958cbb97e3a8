"""Line health: a line whose carrier is out of reach or rejects us is not used for a while.

Its calls stay queued with the reason ``carrier_down``. Afterwards one call tries: an answer closes the circuit, a
failure opens it for longer.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

from django.db import transaction

from dialer.carriers.base import Accepted, Answer, Busy, Health, Refused, Unknown
from dialer.models import Line
from dialer.rules.circuit import Circuit, failed
from dialer.setup.lines import IN_REACH

log = logging.getLogger(__name__)

REJECTED = "credentials_rejected"


def note(answers: Iterable[tuple[Line, Answer]], *, now: datetime) -> None:
    """Update the health of lines from carriers' answers; writes nothing while all is well.

    One answer among failures proves the carrier alive. Runs in its own transaction, after the calls' results.
    """
    alive: dict[UUID, Line] = {}
    failures: Counter[UUID] = Counter()
    reasons: dict[UUID, str] = {}
    for line, answer in answers:
        match _health(answer):
            case Health.ALIVE:
                alive[line.pk] = line
            case Health.OUT_OF_REACH:
                failures[line.pk] += 1
                reasons.setdefault(line.pk, answer.reason if isinstance(answer, Busy | Unknown) else "")
            case Health.REJECTED:
                failures[line.pk] += 1
                reasons[line.pk] = REJECTED
            case Health.UNSAID:
                pass
    troubled = [line.pk for line in alive.values() if line.failures_in_a_row]
    if troubled:
        Line.objects.filter(pk__in=troubled).update(**IN_REACH)
        log.info("line.up lines=%s", [str(pk) for pk in troubled])
    for line_id in sorted(failures.keys() - alive.keys()):
        _fail(line_id, times=failures[line_id], reason=reasons[line_id], now=now)


def _fail(line_id: UUID, *, times: int, reason: str, now: datetime) -> None:
    with transaction.atomic():
        line = Line.objects.select_for_update(no_key=True).get(pk=line_id)
        before = Circuit(failures=line.failures_in_a_row, outages=line.outages_in_a_row, down_until=line.down_until)
        after = failed(before, times=times, is_rejected=reason == REJECTED, now=now)
        columns: dict[str, Any] = {"failures_in_a_row": after.failures}
        if after.outages != before.outages:
            columns |= {"outages_in_a_row": after.outages, "down_until": after.down_until, "down_reason": reason[:200]}
            log.warning("line.down line=%s until=%s reason=%s", line.public_id, after.down_until, reason)
        Line.objects.filter(pk=line_id).update(**columns)


def _health(answer: Answer) -> Health:
    match answer:
        case Accepted() | Refused():
            return Health.ALIVE
        case Busy() | Unknown():
            return answer.health
        case _:
            assert_never(answer)
