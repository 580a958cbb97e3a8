"""An endpoint that fails is probed, given up, and made good to when it answers again."""

import json
import threading
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.models import AuditEntry, Workspace
from dialer.workspaces.transitions import TransitionConflict
from tests.factories import make_workspace
from tests.webhooks.crew import Crew
from tests.webhooks.rows import NOW, make_delivery, make_endpoint, new_event, record
from webhooks import endpoints
from webhooks.delivery import Claimed, claim_due
from webhooks.endpoint_health import disable_hopeless, recover
from webhooks.models import Delivery, Endpoint, Event
from webhooks.rules.circuit import FIRST_OPEN, LONGEST_OPEN, OPENS_AFTER
from webhooks.rules.classify import Failure
from webhooks.rules.lanes import Lane
from webhooks.settling import Sent, settle
from webhooks.transport import Answer

pytestmark = pytest.mark.django_db(transaction=True)

FIVE_DAYS = timedelta(days=5)
ABOUT: dict[str, Any] = {"actor": SYSTEM, "now": NOW}


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def deliveries(workspace: Workspace, number: int) -> None:
    record(*(new_event(workspace) for _ in range(number)))


def answered(claimed: list[Claimed], *, now: Any = NOW, total_ms: float = 1, **answer: Any) -> dict[str, int]:
    sent = [
        Sent(claimed=each, started_at=now, answer=Answer(key=each, total_ms=total_ms, **answer), dice=0)
        for each in claimed
    ]
    return settle(sent, now=now)


def fail_until_open(endpoint: Endpoint) -> None:
    """Let as many attempts fail as open the circuit, and give the deliveries up."""
    deliveries(endpoint.workspace, OPENS_AFTER)
    answered(claim_due(limit=OPENS_AFTER, now=NOW), status=503)


@pytest.fixture
def endpoint() -> Endpoint:
    return make_endpoint(max_in_flight=64, max_retries=0)


def test_after_ten_failures_in_a_row_nothing_is_sent_for_half_a_minute(endpoint: Endpoint) -> None:
    deliveries(endpoint.workspace, 15)
    answered(claim_due(limit=9, now=NOW), status=503)
    (tenth,) = claim_due(limit=1, now=NOW)

    answered([tenth], status=503)

    assert claim_due(limit=50, now=NOW + FIRST_OPEN - seconds(0.001)) == []
    assert len(claim_due(limit=50, now=NOW + FIRST_OPEN)) == 1


def test_a_delivery_that_is_taken_ends_the_run(endpoint: Endpoint) -> None:
    deliveries(endpoint.workspace, 2 * OPENS_AFTER)
    claimed = claim_due(limit=2 * OPENS_AFTER - 1, now=NOW)

    answered(claimed[: OPENS_AFTER - 1], status=503)
    answered(claimed[OPENS_AFTER - 1 : OPENS_AFTER], status=200)
    answered(claimed[OPENS_AFTER:], status=503)

    endpoint.refresh_from_db()
    assert (endpoint.failure_run, endpoint.trips, endpoint.failing_since) == (OPENS_AFTER - 1, 0, NOW)
    assert len(claim_due(limit=50, now=NOW)) == 1


def test_only_what_came_after_the_last_delivery_taken_counts_within_a_group(endpoint: Endpoint) -> None:
    deliveries(endpoint.workspace, 4)
    first, second, third, fourth = claim_due(limit=4, now=NOW)
    answers = [(first, 503), (second, 200), (third, 503), (fourth, 404)]

    settle([Sent(claimed=c, started_at=NOW, answer=Answer(key=c, status=s), dice=0) for c, s in answers], now=NOW)

    endpoint.refresh_from_db()
    assert endpoint.failure_run == 2


def test_probes_go_one_at_a_time_and_the_wait_doubles_to_a_quarter_of_an_hour(endpoint: Endpoint) -> None:
    fail_until_open(endpoint)
    deliveries(endpoint.workspace, 20)
    now, waits = NOW, []

    for _ in range(7):
        endpoint.refresh_from_db()
        assert endpoint.open_until is not None
        waits.append((endpoint.open_until - now).total_seconds())
        now = endpoint.open_until
        (probe,) = claim_due(limit=50, now=now)
        assert claim_due(limit=50, now=now) == []
        answered([probe], now=now, failure=Failure.TIMEOUT)

    assert waits == [30, 60, 120, 240, 480, 900, LONGEST_OPEN.total_seconds()]


def test_claimers_side_by_side_send_one_probe(endpoint: Endpoint) -> None:
    fail_until_open(endpoint)
    deliveries(endpoint.workspace, 20)
    barrier = threading.Barrier(3)
    now, probes = NOW, []

    def claim() -> None:
        barrier.wait(10)
        probes.extend(claim_due(limit=50, now=now))

    for number in range(1, 11):
        endpoint.refresh_from_db()
        now = endpoint.open_until or now
        Crew(claim, claim, claim).join()
        assert len(probes) == number
        answered([probes[-1]], now=now, status=503)


def test_a_probe_that_is_taken_lets_everything_flow_again(endpoint: Endpoint) -> None:
    fail_until_open(endpoint)
    deliveries(endpoint.workspace, 20)
    now = NOW + FIRST_OPEN

    answered(claim_due(limit=50, now=now), now=now, status=204)

    endpoint.refresh_from_db()
    assert (endpoint.trips, endpoint.open_until, endpoint.failure_run) == (0, None, 0)
    assert len(claim_due(limit=50, now=now)) == 19


def test_what_was_under_way_when_the_circuit_opened_does_not_open_it_further(endpoint: Endpoint) -> None:
    deliveries(endpoint.workspace, 30)
    claimed = claim_due(limit=30, now=NOW)

    answered(claimed[:10], status=503)
    answered(claimed[10:], now=NOW + seconds(5), failure=Failure.TIMEOUT)

    endpoint.refresh_from_db()
    assert (endpoint.trips, endpoint.open_until) == (1, NOW + FIRST_OPEN)


def test_waiting_for_a_circuit_uses_up_no_attempt(endpoint: Endpoint) -> None:
    fail_until_open(endpoint)
    waiting = make_delivery(endpoint)

    for minute in range(15):
        claim_due(limit=50, now=NOW + seconds(minute))

    waiting.refresh_from_db()
    assert (waiting.status, waiting.generation, waiting.failures) == ("pending", 0, 0)


def test_a_secret_that_no_key_opens_is_no_failure_of_the_receiver(endpoint: Endpoint) -> None:
    deliveries(endpoint.workspace, OPENS_AFTER)

    answered(claim_due(limit=OPENS_AFTER, now=NOW), failure=Failure.SECRET_UNREADABLE)

    endpoint.refresh_from_db()
    assert (endpoint.failure_run, endpoint.trips, endpoint.latency_ms) == (0, 0, None)


def test_one_receiver_s_circuit_leaves_the_others_alone(endpoint: Endpoint) -> None:
    other = make_endpoint()
    fail_until_open(endpoint)
    make_delivery(other)

    assert [each.receiver.id for each in claim_due(limit=50, now=NOW)] == [other.id]


@pytest.mark.parametrize(
    ("took_ms", "lane"), [([20], Lane.FAST), ([5000], Lane.SLOW), ([20, 5000], Lane.SLOW), ([1200, 20, 20], Lane.FAST)]
)
def test_how_long_attempts_take_decides_the_lane(took_ms: list[float], lane: Lane) -> None:
    endpoint = make_endpoint()
    for took in took_ms:
        make_delivery(endpoint)
        answered(claim_due(limit=1, now=NOW), status=200, total_ms=took)
    make_delivery(endpoint)

    for each in Lane:
        assert len(claim_due(limit=1, lane=each, now=NOW)) == (each is lane)


def test_an_endpoint_that_nobody_knows_yet_begins_in_the_slow_lane() -> None:
    make_delivery(make_endpoint())

    assert claim_due(limit=1, lane=Lane.FAST, now=NOW) == []
    (claimed,) = claim_due(limit=1, lane=Lane.SLOW, now=NOW)
    assert claimed.receiver.lane is Lane.SLOW


def failing(days: float, *, failures: int = 10, **fields: Any) -> Endpoint:
    """Make an endpoint whose run of failures has lasted so long."""
    fields.setdefault("last_error_at", NOW)
    return make_endpoint(
        failing_since=fields["last_error_at"] - timedelta(days=days),
        failure_run=failures,
        last_error="http_503",
        **fields,
    )


def test_an_endpoint_that_took_nothing_for_five_days_is_switched_off_and_told_of() -> None:
    endpoint = failing(5, url="http://crm.example/hook")
    listener = make_endpoint(endpoint.workspace, events=["endpoint.disabled"])

    assert disable_hopeless(now=NOW, limit=10) == [endpoint.id]

    endpoint.refresh_from_db()
    assert (endpoint.is_active, endpoint.disabled_at) == (False, NOW)
    event = Event.objects.get(type="endpoint.disabled")
    delivery = Delivery.objects.get(event=event, endpoint=listener)
    assert delivery.status == "pending"
    said = json.loads(bytes(event.body))["data"]
    assert said == {
        "webhook_id": endpoint.public_id,
        "name": "CRM",
        "url": "http://crm.example/hook",
        "disabled_at": "2025-01-15T10:30:00Z",
        "failing_since": "2025-01-10T10:30:00Z",
        "failures": 10,
        "last_error": "http_503",
    }
    assert AuditEntry.objects.filter(verb="disable", object_id=endpoint.public_id, actor_kind="system").exists()
    assert disable_hopeless(now=NOW, limit=10) == []


@pytest.mark.parametrize(
    ("days", "failures", "fields"),
    [
        pytest.param(4.999, 10, {}, id="too young a run"),
        pytest.param(30, 9, {}, id="too few failures"),
        pytest.param(5, 10, {"is_active": False}, id="off already"),
    ],
)
def test_an_endpoint_is_not_switched_off_before_its_time(days: float, failures: int, fields: dict[str, Any]) -> None:
    failing(days, failures=failures, **fields)

    assert disable_hopeless(now=NOW, limit=10) == []


def test_silence_is_no_reason_to_switch_an_endpoint_off() -> None:
    """Ten failures a month ago and nothing since: nobody knows that it still fails."""
    failing(1, last_error_at=NOW - timedelta(days=30))

    assert disable_hopeless(now=NOW, limit=10) == []


def test_nobody_is_told_that_a_webhook_of_a_call_was_given_up() -> None:
    hidden = failing(5, purpose="inline", fingerprint="a")
    make_endpoint(hidden.workspace)

    assert disable_hopeless(now=NOW, limit=10) == [hidden.id]

    assert not Event.objects.exists()


def test_a_run_of_failures_has_lasted_since_its_first(endpoint: Endpoint) -> None:
    for after in (0, 60):
        failed(endpoint, now=NOW + seconds(after))

    endpoint.refresh_from_db()
    assert (endpoint.failing_since, endpoint.last_error_at) == (NOW, NOW + seconds(60))


def test_an_endpoint_that_is_switched_on_again_begins_with_a_clean_record(endpoint: Endpoint) -> None:
    about: dict[str, Any] = {"workspace_id": endpoint.workspace_id, **ABOUT}
    fail_until_open(endpoint)
    waiting = make_delivery(endpoint)

    endpoints.deactivate(endpoint.id, **about)
    endpoints.activate(endpoint.id, **about)

    assert [each.id for each in claim_due(limit=10, now=NOW)] == [waiting.id]
    endpoint.refresh_from_db()
    assert (endpoint.trips, endpoint.open_until, endpoint.failure_run) == (0, None, 0)


def test_what_a_disabled_endpoint_misses_is_kept_and_can_be_sent_when_it_is_on_again() -> None:
    endpoint = failing(5)
    waiting = make_delivery(endpoint)
    disable_hopeless(now=NOW, limit=10)
    missed = make_delivery(endpoint)
    endpoints.suppress_unheard(now=NOW, limit=10)

    for delivery in (waiting, missed):
        delivery.refresh_from_db()
        assert delivery.status == "suppressed"
    endpoints.activate(endpoint.id, workspace_id=endpoint.workspace_id, **ABOUT)
    endpoints.redeliver(missed.id, workspace_id=endpoint.workspace_id, **ABOUT)

    endpoint.refresh_from_db()
    assert (endpoint.disabled_at, endpoint.failing_since, endpoint.failure_run) == (None, None, 0)
    (claimed,) = claim_due(limit=10, now=NOW)
    assert claimed.id == missed.id


def failed(endpoint: Endpoint, *, now: Any = NOW, **answer: Any) -> Delivery:
    """Let a delivery fail until it is given up."""
    delivery = make_delivery(endpoint, now=now)
    answered(claim_due(limit=1, now=now), now=now, **(answer or {"status": 503}))
    delivery.refresh_from_db()
    assert delivery.status == "failed"
    return delivery


def answers_again(endpoint: Endpoint, *, now: Any) -> None:
    make_delivery(endpoint, now=now)
    answered(claim_due(limit=1, now=now), now=now, status=200)


def test_what_failed_is_sent_once_more_when_the_endpoint_answers_again(endpoint: Endpoint) -> None:
    lost = failed(endpoint)
    later = NOW + timedelta(hours=1)
    assert recover(now=later, limit=10) == []

    answers_again(endpoint, now=later)
    assert recover(now=later, limit=10) == [lost.id]

    lost.refresh_from_db()
    assert (lost.status, lost.failures, lost.recovered_at) == ("pending", 0, later)
    answered(claim_due(limit=1, now=later), now=later, status=503)
    answers_again(endpoint, now=later)
    assert recover(now=later, limit=10) == [], "a second time only a person sends it"


@pytest.mark.parametrize(
    "answer", [{"status": 404}, {"failure": Failure.CERTIFICATE}, {"failure": Failure.FORBIDDEN_ADDRESS}]
)
def test_what_was_refused_for_good_is_not_sent_again_by_itself(endpoint: Endpoint, answer: dict[str, Any]) -> None:
    failed(endpoint, **answer)
    answers_again(endpoint, now=NOW + seconds(1))

    assert recover(now=NOW + seconds(1), limit=10) == []


@pytest.mark.parametrize(("hours", "is_recovered"), [(23.999, True), (24, False)])
def test_recovery_goes_back_24_hours(endpoint: Endpoint, hours: float, is_recovered: bool) -> None:  # noqa: FBT001
    failed(endpoint)
    later = NOW + timedelta(hours=hours)
    answers_again(endpoint, now=later)

    assert len(recover(now=later, limit=10)) == is_recovered


@pytest.mark.parametrize("off", [{"auto_recover": False}, {"is_active": False}])
def test_where_recovery_is_off_nothing_is_recovered(endpoint: Endpoint, off: dict[str, Any]) -> None:
    failed(endpoint)
    answers_again(endpoint, now=NOW + seconds(1))
    Endpoint.objects.filter(pk=endpoint.pk).update(**off)

    assert recover(now=NOW + seconds(1), limit=10) == []


def test_recovery_goes_on_in_stretches_and_forgets_nothing(endpoint: Endpoint) -> None:
    lost = {failed(endpoint, now=NOW + seconds(n)).id for n in range(5)}
    answers_again(endpoint, now=NOW + seconds(10))

    found = [recover(now=NOW + seconds(11), limit=2) for _ in range(4)]

    assert [len(some) for some in found] == [2, 2, 1, 0]
    assert {one for some in found for one in some} == lost


def test_while_a_circuit_is_open_nothing_is_recovered(endpoint: Endpoint) -> None:
    failed(endpoint)
    answers_again(endpoint, now=NOW + seconds(1))
    for _ in range(OPENS_AFTER):
        failed(endpoint, now=NOW + seconds(2))

    assert recover(now=NOW + seconds(3), limit=10) == []


def test_two_sweeps_side_by_side_recover_each_delivery_once(endpoint: Endpoint) -> None:
    lost = {failed(endpoint, now=NOW + seconds(n)).id for n in range(6)}
    answers_again(endpoint, now=NOW + seconds(10))
    barrier = threading.Barrier(2)
    found: list[UUID] = []

    def sweep() -> None:
        barrier.wait(10)
        found.extend(recover(now=NOW + seconds(11), limit=10))

    Crew(sweep, sweep).join()

    assert sorted(found) == sorted(lost)


def test_a_person_s_redelivery_begins_anew_and_may_be_recovered_once_more(endpoint: Endpoint) -> None:
    lost = failed(endpoint)
    Delivery.objects.filter(pk=lost.pk).update(recovered_at=NOW, is_recoverable=False)

    endpoints.redeliver(lost.id, workspace_id=endpoint.workspace_id, **ABOUT)
    answered(claim_due(limit=1, now=NOW), status=503)

    lost.refresh_from_db()
    assert lost.is_recoverable


def test_a_paused_endpoint_is_sent_nothing_and_misses_nothing(endpoint: Endpoint) -> None:
    about: dict[str, Any] = {"workspace_id": endpoint.workspace_id, **ABOUT}
    endpoints.pause(endpoint.id, **about)
    waiting = make_delivery(endpoint)
    endpoints.suppress_unheard(now=NOW, limit=10)

    assert claim_due(limit=10, now=NOW) == []
    endpoints.resume(endpoint.id, **about)

    assert [each.id for each in claim_due(limit=10, now=NOW)] == [waiting.id]


def test_pausing_twice_resuming_what_runs_and_pausing_what_is_off_are_conflicts(endpoint: Endpoint) -> None:
    about: dict[str, Any] = {"workspace_id": endpoint.workspace_id, **ABOUT}

    with pytest.raises(TransitionConflict):
        endpoints.resume(endpoint.id, **about)
    endpoints.pause(endpoint.id, **about)
    with pytest.raises(TransitionConflict):
        endpoints.pause(endpoint.id, **about)
    endpoints.deactivate(endpoint.id, **about)
    with pytest.raises(endpoints.EndpointInactive):
        endpoints.resume(endpoint.id, **about)


def test_what_waited_for_a_paused_endpoint_keeps_its_order(endpoint: Endpoint) -> None:
    workspace = make_workspace()
    endpoint = make_endpoint(workspace, max_in_flight=1, paused_at=NOW)
    first, second = make_delivery(endpoint), make_delivery(endpoint, now=NOW + seconds(1))

    endpoints.resume(endpoint.id, workspace_id=workspace.id, **ABOUT)

    for delivery in (first, second):
        (claimed,) = claim_due(limit=10, now=NOW + seconds(60))
        assert claimed.id == delivery.id
        answered([claimed], now=NOW + seconds(60), status=200)
