"""Two at once: one contact comes in twice, one import has two readers, a campaign ends while contacts are added."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction

from dialer import campaign_contacts, campaign_ends, contacts, imports
from dialer.contacts import ContactFields
from dialer.models import Contact
from dialer.workspaces.audit import SYSTEM
from tests.concurrency.interleaving import PATIENCE, Rewrites, Threads, threads
from tests.factories import NOW, a_phone, make_campaign, make_campaign_contact, make_contact, make_workspace

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 20
NO_LOCK: Rewrites = {"lock_makers_of_contacts": (("pg_advisory_xact_lock(k)", "k"),)}


@contextmanager
def uncommitted(running: Threads, work: Callable[[], Any]) -> Iterator[None]:
    """Run ``work`` in a thread and hold its transaction open meanwhile."""
    done, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            work()
            done.set()
            assert go_on.wait(PATIENCE)

    held = running.start(hold)
    assert done.wait(PATIENCE)
    try:
        yield
    finally:
        go_on.set()
        held.result(PATIENCE)


def wait_until_done_or_blocked(started: Future[Any]) -> None:
    while not started.done():
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            row = cursor.fetchone()
        if row and row[0]:
            return


def contacts_made_by_two(rewrites: Rewrites) -> int:
    """Take in one new number from two threads, the second while the first has not committed; count the contacts."""
    workspace = make_workspace()
    row: ContactFields = {"phone": a_phone()}

    def take_in() -> None:
        contacts.take_in(workspace.id, [row], now=NOW)

    with threads(rewrites) as running:
        with uncommitted(running, take_in):
            second = running.start(take_in)
            wait_until_done_or_blocked(second)
        second.result(PATIENCE)
    count: int = Contact.objects.filter(workspace=workspace).count()
    return count


def test_a_contact_that_comes_in_twice_at_once_is_made_once() -> None:
    assert {contacts_made_by_two({}) for _ in range(ROUNDS)} == {1}


def test_without_its_lock_the_same_race_makes_two() -> None:
    assert contacts_made_by_two(NO_LOCK) == 2


def test_a_second_reader_of_an_import_leaves_it_to_the_first() -> None:
    workspace = make_workspace()
    source = imports.receive(workspace.id, [b"phone\n+4930901820\n"], actor=SYSTEM, now=NOW)

    with threads({}) as running, uncommitted(running, lambda: imports.read_batch(source.id, now=NOW)):
        assert imports.read_batch(source.id, now=NOW) is False

    source.refresh_from_db()
    assert (source.status, source.rows_read) == ("done", 1)


def test_a_campaign_does_not_complete_while_somebody_adds_a_contact() -> None:
    campaign = make_campaign(contact_added_at=NOW, completes_at_once=True)
    make_campaign_contact(campaign, state="reached")
    contact = make_contact(campaign.workspace)

    def add() -> None:
        campaign_contacts.put_in(campaign.id, [contact.id], workspace_id=campaign.workspace_id, now=NOW)

    with threads({}) as running, uncommitted(running, add):
        assert campaign_ends.complete_finished(now=NOW) == []

    assert campaign_ends.complete_finished(now=NOW) == []
    campaign.refresh_from_db()
    assert campaign.status == "running"
