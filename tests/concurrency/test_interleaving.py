"""The tool itself: an interleaving that did not happen fails the race, and the failure tells who was where."""

from collections.abc import Callable

import pytest
from django.db import transaction

from dialer.workspaces.statements import run as run_statement
from tests.concurrency.interleaving import RaceFailed, Stop, threads

pytestmark = pytest.mark.django_db(transaction=True)

NUMBER = 7


def takes(lock: str) -> Callable[[], str]:
    def work() -> str:
        with transaction.atomic():
            run_statement("take", f"SELECT {lock}(%(key)s)", {"key": NUMBER})
            run_statement("work", "SELECT 1 AS one")
        return "worked"

    return work


takes_lock = takes("pg_advisory_xact_lock")
takes_none = takes("abs")


def test_a_thread_that_waits_for_another_is_known_by_what_postgresql_says() -> None:
    stop = Stop(before="work")
    with threads({}) as run:
        holder = run.start(takes_lock, stop, name="holder")
        stop.wait()
        waiter = run.start(takes_lock, name="waiter")
        run.held_back(waiter, by=holder)
        story = run.story()
        stop.go_on.set()

    assert "holder: stopped before work" in story
    assert "waiter: waits in take for holder" in story
    assert (holder.result(), waiter.result()) == ("worked", "worked")


def test_a_thread_that_was_to_be_held_back_and_was_not_fails_the_race() -> None:
    stop = Stop(before="work")
    with threads({}) as run:
        holder = run.start(takes_none, stop, name="holder")
        stop.wait()
        other = run.start(takes_none, name="other")
        with pytest.raises(RaceFailed, match=r"other is not held back by holder\n(.*\n)+  other: done \(worked\)"):
            run.held_back(other, by=holder)


def test_a_thread_that_was_to_get_through_and_did_not_fails_the_race() -> None:
    stop = Stop(before="work")
    with threads({}) as run:
        run.start(takes_lock, stop, name="holder")
        stop.wait()
        other = run.start(takes_lock, name="other")
        with pytest.raises(RaceFailed, match=r"other is held back by holder\n"):
            run.gets_through(other)


def test_a_stop_that_is_never_reached_fails_the_race_as_soon_as_the_thread_is_done() -> None:
    stop = Stop(before="sleep")
    with threads({}) as run:
        run.start(takes_lock, stop, name="worker")
        with pytest.raises(
            RaceFailed, match=r"worker never came to sleep\n  worker: done \(worked\)\n +statements: take → work"
        ):
            stop.wait()


def test_whatever_else_is_raised_brings_the_story_with_it() -> None:
    def break_off() -> None:
        stop = Stop(before="work")
        with threads({}) as run:
            run.start(takes_lock, stop, name="worker")
            stop.wait()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as raised:
        break_off()

    assert "worker: stopped before work" in raised.value.__notes__[0]
