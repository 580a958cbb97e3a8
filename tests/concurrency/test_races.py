"""Six races that could call somebody twice, or at all when nobody may. One interleaving each, forced, many rounds.

Each test runs a second time against a mutant, with the guard (and what stands behind it) taken out of the statements,
and must then see the harm: a race test that cannot fail proves nothing. The carrier's ledger is the judge.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import count, cycle

import pytest
from pytest_django.fixtures import Settings

from callbacks import actions
from callbacks.models import Callback
from dialer import campaigns, dispatch, placing, suppressions
from dialer.models import Call, Campaign, CampaignContact
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.transitions import TransitionConflict
from tests.concurrency.interleaving import PATIENCE, Rewrites, Stop, Threads, threads
from tests.factories import NOW, ROUND_THE_CLOCK, make_campaign, make_campaign_contact, make_contact
from tests.pipeline import claim, end_all
from tests.simulated_carrier import RunningCarrier

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 50
LATER = NOW + timedelta(minutes=10)

NOTHING: Rewrites = {}
CLAIM_LOCKS: Rewrites = {
    "lock_claiming_workspaces": (("FOR NO KEY UPDATE SKIP LOCKED", ""),),
    "take_due_of_campaigns": (("FOR NO KEY UPDATE OF q SKIP LOCKED", ""),),
}
COMPARE_AND_SET: Rewrites = {
    # Whoever comes sees a queued row of its own generation, without waiting for whoever holds it.
    "lock_numbers": (("pg_advisory_xact_lock(k)", "k"),),
    "lock_call_facts": (
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
    "lock_call_facts": (("k.status AS campaign_status", "'running' AS campaign_status"),),
    "release_claims": (("WHERE", "WHERE false AND"),),
}
SUPPRESSION: Rewrites = {
    "lock_call_facts": (
        ("EXISTS (SELECT FROM dialer_suppression", "false AND EXISTS (SELECT FROM dialer_suppression"),
    ),
    "queued_calls_by_number": (("WHERE", "WHERE false AND"),),
}

_numbers = count(1)


class Ledger:
    """The ledger of the simulated carrier, a process of its own: how often it was asked in this round."""

    def __init__(self, carrier: RunningCarrier) -> None:
        self._carrier = carrier
        self._before = 0

    def begin_round(self) -> None:
        self._before = len(self._carrier.places())

    def asked(self) -> int:
        return len(self._carrier.places()) - self._before


@pytest.fixture
def ledger(simulated_carrier: RunningCarrier, settings: Settings) -> Ledger:
    settings.SIMULATED_CARRIER_URL = simulated_carrier.url
    settings.SIMULATED_CARRIER_SECRET = simulated_carrier.secret
    return Ledger(simulated_carrier)


Race = Callable[[Ledger, Threads], bool]
"""Plays one round; tells whether the harm was done."""


def rows(ledger: Ledger) -> CampaignContact:
    """Begin a round: an empty ledger, one contact that is due, and nothing left of the round before."""
    ledger.begin_round()
    Campaign.objects.update(status="completed")
    Callback.objects.filter(status="pending").update(status="cancelled")
    Call.objects.filter(status="queued").update(status="withdrawn", lease_until=None)
    campaign = make_campaign(schedule=ROUND_THE_CLOCK)
    return make_campaign_contact(campaign, make_contact(campaign.workspace, phone=f"+4930{next(_numbers):05d}7711"))


def queued_call(ledger: Ledger) -> Call:
    """Begin a round with a call that was queued, claimed and given back: the claim finds a row, not a contact."""
    rows(ledger)
    claim(NOW)
    call = Call.objects.get(status="queued")
    Call.objects.filter(pk=call.pk).update(lease_until=None, generation=0)
    call.refresh_from_db()
    return call


def two_dispatchers(ledger: Ledger, run: Threads) -> bool:
    queued_call(ledger)
    stop = Stop(before="lease_calls")
    first = run.start(lambda: claim(NOW), stop)
    stop.wait()
    second = run.start(lambda: claim(NOW))
    claimed_by_second = second.result(PATIENCE)
    stop.go_on.set()
    claimed_by_first = first.result(PATIENCE)
    for claims in (claimed_by_first, claimed_by_second):
        run.start(partial(placing.place, claims, now=NOW)).result(PATIENCE)
    return len(claimed_by_first) + len(claimed_by_second) != 1 or ledger.asked() != 1


def a_repeated_message(ledger: Ledger, run: Threads) -> bool:
    queued_call(ledger)
    claims = claim(NOW)
    stop = Stop(before="take_to_dialing")
    first = run.start(lambda: placing.place(claims, now=NOW), stop)
    stop.wait()
    second = run.start(lambda: placing.place(claims, now=NOW))
    # The guard makes the second wait for the first; without it the second is done by now.
    run.give_time_to(second)
    stop.go_on.set()
    first.result(PATIENCE)
    second.result(PATIENCE)
    return ledger.asked() != 1


def a_stale_worker(ledger: Ledger, run: Threads) -> bool:
    queued_call(ledger)
    old = claim(NOW)
    stop = Stop(before="numbers_of_calls")
    stale = run.start(lambda: placing.place(old, now=LATER), stop)
    stop.wait()
    dispatch.release_expired(limit=10, now=LATER)
    placing.place(claim(LATER), now=LATER)
    stop.go_on.set()
    stale.result(PATIENCE)
    return ledger.asked() != 1


def pause_against_claim(ledger: Ledger, run: Threads) -> bool:
    call = queued_call(ledger)
    campaign_id = call.campaign_id
    assert campaign_id is not None
    stop = Stop(before="lease_calls")
    claiming = run.start(lambda: claim(NOW), stop)
    stop.wait()
    pausing = run.start(lambda: campaigns.pause(campaign_id, workspace_id=call.workspace_id, actor=SYSTEM, now=NOW))
    # A pause waits for a claim that holds its rows, or takes them back: either way nothing is dialled after it.
    run.give_time_to(pausing)
    stop.go_on.set()
    claims = claiming.result(PATIENCE)
    pausing.result(PATIENCE)
    run.start(lambda: placing.place(claims, now=NOW)).result(PATIENCE)
    return ledger.asked() != 0


def suppression_against_claim(ledger: Ledger, run: Threads) -> bool:
    call = queued_call(ledger)
    claims = claim(NOW)
    stop = Stop(before="lock_numbers")
    placed = run.start(lambda: placing.place(claims, now=NOW), stop)
    stop.wait()
    run.start(
        lambda: suppressions.add(call.workspace_id, [call.number], reason="manual", actor=SYSTEM, now=NOW)
    ).result(PATIENCE)
    stop.go_on.set()
    placed.result(PATIENCE)
    return ledger.asked() != 0


def cancel_against_place(ledger: Ledger, run: Threads) -> bool:
    member = rows(ledger)
    placing.place(claim(NOW), now=NOW)
    end_all(NOW, "no_answer")
    callback = Callback.objects.get(contact=member.contact)
    due = callback.scheduled_at
    claims = claim(due)
    ledger.begin_round()
    # Before its locks the operator is first; under them the worker is.
    stop = Stop(before=next(_cancel_meets))
    placed = run.start(lambda: placing.place(claims, now=due), stop)
    stop.wait()

    def cancel() -> bool:
        try:
            actions.cancel(callback.pk, workspace_id=callback.workspace_id, actor=SYSTEM, now=due)
        except TransitionConflict:
            return False
        return True

    cancelling = run.start(cancel)
    run.give_time_to(cancelling)
    stop.go_on.set()
    placed.result(PATIENCE)
    was_cancelled = cancelling.result(PATIENCE)
    return ledger.asked() != (0 if was_cancelled else 1)


_cancel_meets = cycle(["take_to_dialing", "numbers_of_calls"])


RACES = [
    pytest.param(two_dispatchers, CLAIM_LOCKS, id="two dispatchers"),
    pytest.param(a_repeated_message, COMPARE_AND_SET, id="a repeated message"),
    pytest.param(a_stale_worker, COMPARE_AND_SET, id="a stale worker"),
    pytest.param(pause_against_claim, CAMPAIGN_STATUS, id="pause against claim"),
    pytest.param(suppression_against_claim, SUPPRESSION, id="suppression against claim"),
    pytest.param(cancel_against_place, COMPARE_AND_SET, id="an operator's cancel against place"),
]


@pytest.mark.parametrize(("race", "mutant"), RACES)
def test_nobody_is_called_twice_or_against_a_stop(ledger: Ledger, race: Race, mutant: Rewrites) -> None:
    with threads(NOTHING) as run:
        harmed = [race(ledger, run) for _ in range(ROUNDS)]

    assert not any(harmed), f"{sum(harmed)} of {ROUNDS} rounds did harm"


@pytest.mark.parametrize(("race", "mutant"), RACES)
def test_the_race_is_seen_where_its_guard_is_taken_out(ledger: Ledger, race: Race, mutant: Rewrites) -> None:
    with threads(mutant) as run:
        assert race(ledger, run)
