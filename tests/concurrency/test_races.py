"""Six races that could call somebody twice, or at all when nobody may. One interleaving each, forced, every round.

Each test runs a second time against a mutant, with the guard (and what stands behind it) taken out of the statements,
and must then see the harm: a race test that cannot fail proves nothing. The carrier's ledger is the judge.
"""

import pytest
from pytest_django.fixtures import Settings

from tests.concurrency import races
from tests.concurrency.interleaving import RaceFailed, Rewrites, threads
from tests.concurrency.layers import LAYERS, without
from tests.concurrency.races import Race
from tests.simulated_carrier import RunningCarrier

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 10
"""Nothing is left to chance: each round proves that its interleaving happened, and is the same as the one before."""

NOTHING: Rewrites = {}
CLAIM_LOCKS: Rewrites = {
    "lock_claiming_workspaces": (("FOR NO KEY UPDATE SKIP LOCKED", ""),),
    "take_due_of_campaigns": (("FOR NO KEY UPDATE OF q SKIP LOCKED", ""),),
}
COMPARE_AND_SET: Rewrites = {
    # Whoever comes sees a queued row of its own generation, without waiting for whoever holds it.
    "lock_numbers": (("pg_advisory_xact_lock(k)", "k"),),
    "lock_call_contexts": (
        ("FOR NO KEY UPDATE OF c", ""),
        ("c.status,", "'queued' AS status,"),
        ("c.generation, c.lease_until", "1 AS generation, now() + interval '9 years' AS lease_until"),
    ),
    "live_calls": (
        ("AND l.dialing_at IS NOT NULL", "AND false"),
        ("WHERE l.contact_id = t.contact_id", "WHERE false"),
    ),
    "take_to_dialing": (("AND c.generation = t.generation AND c.status IS NOT DISTINCT FROM 'queued'", ""),),
}
CAMPAIGN_STATUS: Rewrites = {
    "lock_call_contexts": (("k.status AS campaign_status", "'running' AS campaign_status"),),
    "release_claims": (("WHERE", "WHERE false AND"),),
}
SUPPRESSION: Rewrites = {
    "lock_call_contexts": (
        ("EXISTS (SELECT FROM dialer_suppression", "false AND EXISTS (SELECT FROM dialer_suppression"),
    ),
    "queued_calls_by_number": (("WHERE", "WHERE false AND"),),
}


class SimulatedLedger:
    """The ledger of the simulated carrier, a process of its own: how often it was asked in this round."""

    def __init__(self, carrier: RunningCarrier) -> None:
        self._carrier = carrier
        self._before = 0

    def begin_round(self) -> None:
        self._before = len(self._carrier.places())

    def asked(self) -> int:
        return len(self._carrier.places()) - self._before


@pytest.fixture
def ledger(simulated_carrier: RunningCarrier, settings: Settings) -> SimulatedLedger:
    settings.SIMULATED_CARRIER_URL = simulated_carrier.url
    settings.SIMULATED_CARRIER_SECRET = simulated_carrier.secret
    return SimulatedLedger(simulated_carrier)


# A claim of whatever generation fits.
GENERATIONS: Rewrites = {
    **COMPARE_AND_SET,
    "lock_call_contexts": (
        ("FOR NO KEY UPDATE OF c", ""),
        ("c.status,", "'queued' AS status,"),
        ("c.lease_until,", "now() + interval '9 years' AS lease_until,"),
    ),
    "release_expired_leases": (("generation = c.generation + 1", "generation = c.generation"),),
    "lease_calls": (("generation = c.generation + 1", "generation = c.generation"),),
}

RACES = [
    pytest.param(races.two_dispatchers, CLAIM_LOCKS, id="two dispatchers"),
    pytest.param(races.a_repeated_message, COMPARE_AND_SET, id="a repeated message"),
    pytest.param(races.a_stale_worker, GENERATIONS, id="a stale worker"),
    pytest.param(races.pause_before_claim, CAMPAIGN_STATUS, id="pause against claim"),
    pytest.param(races.suppression_before_place, SUPPRESSION, id="suppression against claim"),
    pytest.param(races.cancel_against_place, COMPARE_AND_SET, id="an operator's cancel against place"),
]


@pytest.mark.parametrize(("race", "mutant"), RACES)
def test_nobody_is_called_twice_or_against_a_stop(ledger: SimulatedLedger, race: Race, mutant: Rewrites) -> None:
    with threads(NOTHING) as run:
        for number in range(1, ROUNDS + 1):
            if harm := race(ledger, run):
                message = f"round {number} of {ROUNDS} did harm: {harm}\n{run.story()}"
                raise RaceFailed(message)


@pytest.mark.parametrize("race", [races.a_repeated_message, races.cancel_under_place])
def test_what_the_compare_and_set_did_not_take_is_not_dialled(ledger: SimulatedLedger, race: Race) -> None:
    with threads(without(LAYERS.keys() - {"update's guard", "unique indexes"})) as run:
        assert race(ledger, run) == ""


@pytest.mark.parametrize(("race", "mutant"), RACES)
def test_the_race_is_seen_where_its_guard_is_taken_out(ledger: SimulatedLedger, race: Race, mutant: Rewrites) -> None:
    with threads(mutant) as run:
        assert race(ledger, run)
