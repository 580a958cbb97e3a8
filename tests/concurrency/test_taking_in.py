"""Two at once: one contact comes in twice, one import has two readers, a campaign ends while contacts are added."""

import contextlib

import pytest
from pytest_django.fixtures import Settings

from dialer.campaigns import completion as campaign_completion
from dialer.campaigns import imports, membership
from dialer.contacts import contacts
from dialer.contacts.contacts import ContactFields
from dialer.models import Contact, Import
from dialer.workspaces.audit import SYSTEM
from tests.concurrency.interleaving import Rewrites, threads, uncommitted
from tests.concurrency.members import a_member
from tests.factories import NOW, make_campaign, make_contact, make_workspace
from tests.world import RINGS_OUT, a_number

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 20
NO_LOCK: Rewrites = {"lock_makers_of_contacts": (("pg_advisory_xact_lock(k)", "k"),)}


def contacts_made_by_two(rewrites: Rewrites) -> int:
    """Take in one new number from two threads, the second while the first has not committed; count the contacts."""
    workspace = make_workspace()
    row: ContactFields = {"phone": a_number(RINGS_OUT)}

    def take_in() -> None:
        contacts.take_in(workspace.id, [row], now=NOW)

    with threads(rewrites) as running:
        with uncommitted(running, take_in, name="first") as first:
            second = running.start(take_in, name="second")
            running.held_back(second, by=first)
        second.result()
    count: int = Contact.objects.filter(workspace=workspace).count()
    return count


def test_a_contact_that_comes_in_twice_at_once_is_made_once() -> None:
    assert {contacts_made_by_two({}) for _ in range(ROUNDS)} == {1}


def test_without_its_lock_the_same_race_makes_two() -> None:
    assert contacts_made_by_two(NO_LOCK) == 2


def test_a_second_reader_of_an_import_leaves_it_to_the_first() -> None:
    workspace = make_workspace()
    source = imports.receive(workspace.id, [f"phone\n{a_number(RINGS_OUT)}\n".encode()], actor=SYSTEM, now=NOW)

    with (
        threads({}) as running,
        uncommitted(running, lambda: imports.read_batch(source.id, now=NOW), name="first reader"),
    ):
        assert imports.read_batch(source.id, now=NOW) is False

    source.refresh_from_db()
    assert (source.status, source.rows_read) == ("done", 1)


def imports_begun_by_two(rewrites: Rewrites) -> int:
    """Upload two files at once where one may be under way; count the imports."""
    workspace = make_workspace()

    def upload() -> None:
        with contextlib.suppress(imports.TooManyImports):
            imports.receive(workspace.id, [b"phone\n"], actor=SYSTEM, now=NOW)

    with threads(rewrites) as running:
        with uncommitted(running, upload, name="first") as first:
            second = running.start(upload, name="second")
            running.held_back(second, by=first)
        second.result()
    count: int = Import.objects.filter(workspace=workspace).count()
    return count


def test_two_files_at_once_do_not_both_take_the_last_place(settings: Settings) -> None:
    settings.IMPORTS_AT_ONCE = 1

    assert {imports_begun_by_two({}) for _ in range(ROUNDS)} == {1}


def test_without_its_lock_the_last_place_is_taken_twice(settings: Settings) -> None:
    settings.IMPORTS_AT_ONCE = 1

    assert imports_begun_by_two({"lock_numbers": (("pg_advisory_xact_lock(k)", "k"),)}) == 2


def test_a_campaign_does_not_complete_while_somebody_adds_a_contact() -> None:
    campaign = make_campaign(contact_added_at=NOW, completes_at_once=True)
    a_member(campaign, state="reached")
    contact = make_contact(campaign.workspace, phone=a_number(RINGS_OUT))

    def add() -> None:
        membership.put_in(campaign.id, [contact.id], workspace_id=campaign.workspace_id, now=NOW)

    with threads({}) as running, uncommitted(running, add, name="adder"):
        assert campaign_completion.complete_finished(now=NOW) == []

    assert campaign_completion.complete_finished(now=NOW) == []
    campaign.refresh_from_db()
    assert campaign.status == "running"
