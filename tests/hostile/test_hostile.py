"""`make hostile` in short: one round of every behaviour. Its figures are judged where the machine has nothing else."""

import pytest

from tests.hostile.alone import ALLOWED, Attempt, post_all
from tests.hostile.behaviours import BEHAVIOURS
from tests.hostile.report import Finding, quantile, show
from tests.hostile.server import Server
from webhooks.transport import Transport

BUSY = 2.5
"""How much later than its deadline an attempt may end where the whole suite runs beside it."""


@pytest.fixture(scope="module")
def attempts() -> list[Attempt]:
    with Server() as server:
        where = server.addresses
        transport = Transport(allowed_networks=ALLOWED, dns_servers=[where.name_server], ca_file=where.ca_file)
        found = post_all(transport, where.hostile)
        transport.close()
    return found


def test_every_behaviour_comes_to_what_it_must_over_http_and_https(attempts: list[Attempt]) -> None:
    timed = {"answers just in time"}  # on a busy machine it is not
    wrong = [
        (attempt.target.behaviour.name, attempt.target.url, attempt.answer.status, attempt.answer.failure)
        for attempt in attempts
        if attempt.verdict not in attempt.target.behaviour.expects and attempt.target.behaviour.name not in timed
    ]

    assert wrong == []
    assert len(attempts) == sum(len(behaviour.schemes) for behaviour in BEHAVIOURS)


def test_nobody_holds_a_slot_past_the_deadline(attempts: list[Attempt]) -> None:
    assert max(attempt.seconds for attempt in attempts) <= 5 + BUSY


def test_no_answer_is_kept_beyond_16_kib(attempts: list[Attempt]) -> None:
    assert max(attempt.kept_bytes for attempt in attempts) <= 16 * 1024


def test_what_was_missed_is_told_and_fails_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    kept = Finding(what="row 1", seen="fine", is_kept=True)
    missed = Finding(what="row 2", seen="6 s", is_kept=False)

    assert show([kept])
    assert not show([kept, missed])
    assert "MISSED  row 2: 6 s" in capsys.readouterr().out


def test_a_quantile_of_nothing_keeps_no_promise() -> None:
    assert quantile([], 0.99) == float("inf")
    assert quantile([1.0] * 99 + [9.0], 0.99) == 9.0
