"""Two at once with one number: two workspaces claim it, or one gives it back while it takes it up elsewhere."""

import threading
from functools import partial

import pytest
from django.db import transaction

from dialer.models import CallerId, Line
from dialer.setup import caller_ids, lines
from dialer.setup.recipe import InvalidResource
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.models import Workspace
from tests.concurrency.interleaving import PATIENCE, threads, uncommitted
from tests.factories import NOW, make_line, make_workspace

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 5
NUMBER = "+493012345678"


def claim(workspace: Workspace) -> Line:
    return lines.create_line(workspace.pk, name="Main", caller_ids=[NUMBER], actor=SYSTEM, now=NOW)


def test_of_two_workspaces_that_claim_a_number_at_once_one_has_it_and_the_other_is_told() -> None:
    for _ in range(ROUNDS):
        CallerId.objects.all().delete()
        first, second = make_workspace(), make_workspace()

        with threads({}) as running:
            with uncommitted(running, partial(claim, first), name="first") as holder:
                late = running.start(partial(claim, second), name="second")
                running.held_back(late, by=holder)
            with pytest.raises(InvalidResource) as refused:
                late.result()

        assert refused.value.errors == {"caller_ids": [f"{NUMBER} is in use"]}
        assert CallerId.objects.get().workspace_id == first.pk
        assert not Line.objects.in_workspace(second.pk).exists()


def test_a_claim_that_is_rolled_back_leaves_the_number_to_who_waited() -> None:
    first, second = make_workspace(), make_workspace()
    give_up, claimed = threading.Event(), threading.Event()

    def claim_and_roll_back() -> None:
        with transaction.atomic():
            claim(first)
            claimed.set()
            assert give_up.wait(PATIENCE)
            transaction.set_rollback(True)

    with threads({}) as running:
        failing = running.start(claim_and_roll_back, name="who gives up")
        assert claimed.wait(PATIENCE)
        late = running.start(partial(claim, second), name="who waits")
        running.held_back(late, by=failing)
        give_up.set()
        failing.result()
        late.result()

    assert CallerId.objects.get().workspace_id == second.pk


def owner_after_one_line_leaves_and_another_takes_up(*, is_locked: bool) -> int:
    """Archive the line that shows a number while a second one that takes it up is not committed; count its owners."""
    workspace = make_workspace()
    leaving = make_line(workspace, caller_ids=[NUMBER])
    taking = make_line(workspace, caller_ids=[])

    def take_up() -> None:
        lines.edit_line(taking.pk, workspace_id=workspace.pk, caller_ids=[NUMBER], actor=SYSTEM, now=NOW)

    with threads({}) as running:
        with uncommitted(running, take_up, name="who takes it up") as holder:
            late = running.start(
                lambda: lines.archive_line(leaving.pk, workspace_id=workspace.pk, actor=SYSTEM, now=NOW),
                name="who gives it back",
            )
            if is_locked:
                running.held_back(late, by=holder)
            else:
                running.gets_through(late)
        late.result()
    return int(CallerId.objects.in_workspace(workspace.pk).filter(digits="493012345678").count())


def test_a_number_is_not_given_back_while_another_line_of_the_workspace_takes_it_up() -> None:
    for _ in range(ROUNDS):
        CallerId.objects.all().delete()
        assert owner_after_one_line_leaves_and_another_takes_up(is_locked=True) == 1


def test_without_the_workspaces_lock_a_number_that_is_shown_would_be_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caller_ids, "lock", lambda _: None)

    assert owner_after_one_line_leaves_and_another_takes_up(is_locked=False) == 0
