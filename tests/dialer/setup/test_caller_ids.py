"""Numbers of lines: claimed when a line shows them, shared within a workspace, given back when nobody shows them."""

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from dialer.dialing import inbound
from dialer.models import CallerId, Line
from dialer.setup import lines
from dialer.setup.recipe import InvalidResource
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.models import Workspace
from tests.factories import NOW, make_line, make_workspace

pytestmark = pytest.mark.django_db

OURS, OTHER = "+493012345678", "+493087654321"


def now() -> dict[str, Any]:
    return {"actor": SYSTEM, "now": NOW}


def a_line(workspace: Workspace, name: str, *numbers: str) -> Line:
    return lines.create_line(workspace.pk, name=name, caller_ids=list(numbers), **now())


def has(workspace: Workspace) -> set[str]:
    return set(CallerId.objects.in_workspace(workspace.pk).values_list("digits", flat=True))


def test_the_database_refuses_a_second_owner_of_a_number() -> None:
    CallerId.objects.create(workspace=make_workspace(), digits="4930")

    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("INSERT INTO dialer_callerid (digits, workspace_id) VALUES ('4930', %s)", [make_workspace().pk])


@pytest.mark.parametrize("spelt", ["+49 30 12345678", "0049 (30) 12345678"[2:], "+49-30-1234-5678"])
def test_a_number_in_use_is_refused_however_it_is_written(spelt: str) -> None:
    a_line(make_workspace(), "Main", OURS)

    with pytest.raises(InvalidResource) as refused:
        a_line(make_workspace(), "Main", OTHER, spelt)

    assert refused.value.errors == {"caller_ids": [f"{spelt} is in use"]}
    assert set(CallerId.objects.values_list("digits", flat=True)) == {"493012345678"}


def test_lines_of_one_workspace_share_a_number_until_the_last_of_them_gives_it_back() -> None:
    mine, other = make_workspace(), make_workspace()
    first, second = a_line(mine, "First", OURS), a_line(mine, "Second", OURS, OTHER)

    lines.archive_line(first.pk, workspace_id=mine.pk, **now())
    with pytest.raises(InvalidResource):
        a_line(other, "Main", OURS)
    lines.edit_line(second.pk, workspace_id=mine.pk, caller_ids=[OTHER], **now())
    a_line(other, "Main", OURS)

    assert (has(mine), has(other)) == ({"493087654321"}, {"493012345678"})


def test_an_edit_that_is_refused_changes_nothing() -> None:
    a_line(make_workspace(), "Main", OURS)
    mine = make_workspace()
    line = a_line(mine, "Main", OTHER)

    with pytest.raises(InvalidResource):
        lines.edit_line(line.pk, workspace_id=mine.pk, name="Renamed", caller_ids=[OURS], **now())

    line.refresh_from_db()
    assert (line.name, line.caller_ids, has(mine)) == ("Main", [OTHER], {"493087654321"})


def test_a_senders_name_is_nobodys_number() -> None:
    for name in ("Kiosk24", "Shop24"):
        a_line(make_workspace(), name, name)

    assert not CallerId.objects.exists()


def test_a_line_from_before_may_be_edited_while_it_shows_anothers_number() -> None:
    a_line(make_workspace(), "Main", OURS)
    mine = make_workspace()
    line = Line.objects.create(workspace=mine, name="From before", caller_ids=[OURS])

    lines.edit_line(line.pk, workspace_id=mine.pk, name="Renamed", caller_ids=[OURS, OTHER], **now())

    assert has(mine) == {"493087654321"}


def test_a_line_that_was_made_without_a_claim_claims_with_its_next_edit() -> None:
    mine = make_workspace()
    line = Line.objects.create(workspace=mine, name="From before", caller_ids=[OURS])

    lines.edit_line(line.pk, workspace_id=mine.pk, name="Renamed", **now())

    assert has(mine) == {"493012345678"}


def test_a_number_of_a_closed_workspace_is_kept_for_it_and_rings_nobody() -> None:
    closed = make_workspace()
    make_line(closed, caller_ids=[OURS])
    make_line(make_workspace(), caller_ids=[OTHER])
    Workspace.objects.filter(pk=closed.pk).update(closed_at=NOW)

    with pytest.raises(inbound.NotOurs):
        inbound.line_of(carrier="simulated", line_id=None, called=OURS, caller="+493099999999")
    with pytest.raises(InvalidResource):
        a_line(make_workspace(), "Main", OURS)


def test_a_purged_workspace_leaves_its_numbers_free() -> None:
    gone = make_workspace()
    make_line(gone, caller_ids=[OURS])
    gone.delete()

    a_line(make_workspace(), "Main", OURS)
