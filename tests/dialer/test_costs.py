"""What a lifecycle costs, counted and not timed: statements, rows, records of the write-ahead log, and messages.

The bounds are what was counted, and a little: more means that the way of a call became more expensive. Fewer is good
news, and the bound follows it down. How many messages a claim sends is held by ``test_publishing``, what
deliveries cost by ``tests/webhooks/test_sender.py``.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection

from dialer.dialing import carrier_reports, placing
from dialer.models import Call
from tests.factories import NOW, ROUND_THE_CLOCK, make_campaign, make_campaign_contact, make_workspace
from tests.in_process_carrier import InProcessCarrier, ended
from tests.pipeline import carrier, claim
from webhooks.models import Delivery, Endpoint

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

CALLS = 100
STATEMENTS_OF_A_BATCH = 41
"""To claim, place, store and apply, however many calls."""
ROWS_OF_A_LIFECYCLE = 17
"""Call: queued, dialling, accepted, ended, the next one queued. Campaign contact: calling, callback pending. Report:
stored, applied. Callback, and the chain's number. Events and deliveries: three each."""
LOG_RECORDS_OF_A_LIFECYCLE = 130
"""115 to 120 were counted; how pages split depends on what the tables hold already."""


@dataclass
class Costs:
    """What was spent; rows and records are known at the end."""

    statements: int = 0
    rows: int = 0
    log_records: int = 0


@contextmanager
def counted() -> Iterator[Costs]:
    costs = Costs()

    def count(execute: Callable[..., Any], sql: str, params: Any, many: Any, context: Any) -> Any:
        costs.statements += 1
        return execute(sql, params, many, context)

    rows, records = _written()
    with connection.execute_wrapper(count):
        yield costs
    rows_after, records_after = _written()
    costs.rows, costs.log_records = rows_after - rows, records_after - records


def _written() -> tuple[int, int]:
    """Return the rows changed in this database so far, and the log records of its sessions."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("""
            SELECT (SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables),
                (SELECT sum(w.wal_records) FROM pg_stat_activity a, pg_stat_get_backend_wal(a.pid) w
                    WHERE a.datname = current_database() AND a.backend_type = 'client backend')
        """)
        rows, records = cursor.fetchone()
    return int(rows), int(records)


def test_a_lifecycle_costs_no_more_than_it_did(carrier: InProcessCarrier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "close", lambda: None)  # one session, whose statistics are flushed when asked
    workspace = make_workspace(contact_limits=[{"max": 10, "period_hours": 24, "scope": "number"}])
    Endpoint.objects.create(workspace=workspace, name="All", url="https://receiver.example/", events=["*"], secret="s")  # noqa: S106
    campaign = make_campaign(workspace, schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [720]})
    for _ in range(CALLS):
        make_campaign_contact(campaign)

    with counted() as costs:
        claims = claim(NOW)
        placing.place(claims, now=NOW)
        carrier_reports.store("simulated", [ended(each.call_id, NOW, "no_answer") for each in claims])
        carrier_reports.apply_stored(limit=200, now=NOW)

    assert costs.statements <= STATEMENTS_OF_A_BATCH
    assert costs.rows <= ROWS_OF_A_LIFECYCLE * CALLS
    assert costs.log_records <= LOG_RECORDS_OF_A_LIFECYCLE * CALLS
    assert Call.objects.filter(status="queued").count() == CALLS
    assert Delivery.objects.count() == 3 * CALLS
