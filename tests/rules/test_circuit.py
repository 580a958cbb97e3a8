"""When a line is left alone, and for how long."""

from datetime import UTC, datetime, timedelta

from dialer.rules.circuit import FAILURES, LONGEST, REJECTED_FIRST, SHORTEST, Circuit, failed

NOW = datetime(2025, 3, 12, 10, 0, tzinfo=UTC)


def test_failures_below_the_number_that_makes_an_outage_leave_the_line_in_use() -> None:
    after = failed(Circuit(), times=FAILURES - 1, is_rejected=False, now=NOW)

    assert (after.failures, after.down_until) == (FAILURES - 1, None)
    assert failed(after, times=1, is_rejected=False, now=NOW).down_until == NOW + SHORTEST


def test_each_outage_after_a_trial_that_failed_is_twice_as_long_up_to_a_bound() -> None:
    circuit = failed(Circuit(), times=FAILURES, is_rejected=False, now=NOW)
    lengths = []
    for _ in range(9):
        assert circuit.down_until is not None
        began = circuit.down_until
        circuit = failed(circuit, times=1, is_rejected=False, now=began)
        assert circuit.down_until is not None
        lengths.append(circuit.down_until - began)

    assert lengths[:5] == [SHORTEST * 2**n for n in range(1, 6)]
    assert lengths[-1] == LONGEST


def test_calls_that_were_under_way_when_it_began_make_no_outage_longer() -> None:
    circuit = failed(Circuit(), times=FAILURES, is_rejected=False, now=NOW)

    after = failed(circuit, times=20, is_rejected=False, now=NOW + timedelta(seconds=1))

    assert (after.down_until, after.outages) == (circuit.down_until, 1)


def test_rejected_credentials_are_an_outage_at_once_and_a_longer_one() -> None:
    assert failed(Circuit(), times=1, is_rejected=True, now=NOW).down_until == NOW + REJECTED_FIRST


def test_a_carrier_gone_for_years_overflows_nothing() -> None:
    circuit = Circuit(failures=10**6, outages=10**6, down_until=NOW)

    assert failed(circuit, times=1, is_rejected=False, now=NOW).down_until == NOW + LONGEST
