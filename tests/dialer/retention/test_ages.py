"""Each workspace says for how long it keeps imports and talks; what is younger stays."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from dialer.models import Call, CarrierEvent, Contact, Import, ImportPart, ImportProblem
from dialer.retention import ages
from dialer.workspaces.ids import new_id
from dialer.workspaces.models import Workspace
from tests.api.client import Api, error_of
from tests.factories import NOW, make_call, make_contact, make_workspace
from tests.webhooks.rows import make_endpoint
from tests.world import World, world
from webhooks import batches
from webhooks.models import BatchItem, Delivery, Event

__all__ = ["world"]

pytestmark = pytest.mark.django_db(transaction=True)


def id_of_age(age: timedelta) -> UUID:
    """Return a new id as one of that age has."""
    moment = int((NOW - age).timestamp() * 1000)
    return UUID(int=(new_id().int & ((1 << 80) - 1)) | moment << 80)


def an_import(workspace: Workspace, *, days: float, problems: int = 0, **fields: Any) -> Import:
    finished_at = NOW - timedelta(days=days)
    made: Import = Import.objects.create(
        workspace=workspace, **{"status": "done", "finished_at": finished_at, **fields}
    )
    ImportPart.objects.create(source=made, number=0, content=b"phone\n")
    ImportProblem.objects.bulk_create(
        ImportProblem(source=made, line=line, reason="is empty", row=[""]) for line in range(problems)
    )
    return made


def test_imports_go_with_their_bad_rows_and_open_ones_stay() -> None:
    a_week, for_ever = make_workspace(keep_imports_days=7), make_workspace(keep_imports_days=None)
    an_import(a_week, days=7.1, problems=3)
    kept = {
        an_import(a_week, days=6.9, problems=1).pk,
        an_import(a_week, days=0, status="running", finished_at=None, created_at=NOW - timedelta(days=99)).pk,
        an_import(for_ever, days=999).pk,
    }

    assert ages.delete_imports(limit=2, now=NOW) == 0, "a batch of bad rows first"
    assert ages.delete_imports(limit=2, now=NOW) == 1

    assert set(Import.objects.values_list("pk", flat=True)) == kept
    assert set(ImportProblem.objects.values_list("source_id", flat=True)) < kept
    assert set(ImportPart.objects.values_list("source_id", flat=True)) == kept


def a_talk(workspace: Workspace, *, days: float) -> Call:
    ended_at = NOW - timedelta(days=days)
    return make_call(
        make_contact(workspace),
        id=id_of_age(timedelta(days=days, hours=1)),
        status="ended",
        outcome="answered",
        ended_at=ended_at,
        transcript="Hello",
        recording_url="https://r/1",
        analysis={"summary": "nice"},
    )


def test_talks_are_erased_when_their_workspace_keeps_them_no_longer() -> None:
    a_week, for_ever = make_workspace(keep_transcripts_days=7), make_workspace(keep_transcripts_days=None)
    old, young, theirs = a_talk(a_week, days=7.1), a_talk(a_week, days=6.9), a_talk(for_ever, days=999)
    CarrierEvent.objects.create(
        line_carrier="simulated", event_id="e", call_id=old.pk, kind="ended", occurred_at=NOW, facts={"transcript": "x"}
    )

    assert ages.erase_talks(limit=10, now=NOW) == 1
    assert ages.erase_talks(limit=10, now=NOW) == 0

    old.refresh_from_db()
    assert (old.transcript, old.recording_url, old.analysis, old.outcome) == (None, None, None, "answered")
    assert CarrierEvent.objects.get().facts == {}
    assert set(Call.objects.exclude(transcript=None)) == {young, theirs}


def test_a_talk_is_erased_from_its_events_and_arrays_too_and_the_contact_stays(world: World) -> None:
    make_endpoint(world.workspace, name="Arrays", url="https://9.9.9.9/batch", profile="batch")
    call = world.call("0000")
    world.run_for(minutes=20)
    world.say(f"calls/{call['id']}/analysis/", {"summary": "A secret", "flow": [{"transcript": "A secret"}]})
    batches.freeze_due(now=world.now + timedelta(hours=1))
    a_week(world.workspace)
    later: datetime = world.now + timedelta(days=8)

    assert ages.erase_talks(limit=10, now=later) == 1

    stored = [bytes(body) for body in Event.objects.values_list("body", flat=True)]
    stored += [row.sent_body for row in Delivery.objects.all()]
    stored += [bytes(body) for body in BatchItem.objects.values_list("body", flat=True)]
    assert not any(said in body for body in stored for said in (b"A secret", b"Agent: Hello."))
    (ended,) = world.webhooks("call.ended")
    assert ended["metadata"] == {"redacted": True}
    (started,) = world.webhooks("call.started")
    assert started["data"]["contact"]["phone"] == Contact.objects.get().phone


def a_week(workspace: Workspace) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(keep_transcripts_days=7)


def test_the_settings_say_what_is_kept_and_an_admin_key_changes_it() -> None:
    api = Api(scope="admin")
    names = ("keep_events_days", "keep_deliveries_days", "keep_imports_days", "keep_transcripts_days")

    assert [api.get("settings/").json()[name] for name in names] == [365, 30, 90, None]
    given = {"keep_events_days": None, "keep_deliveries_days": 7, "keep_imports_days": 1, "keep_transcripts_days": 30}
    answer = api.patch("settings/", given)

    assert answer.status_code == 200, answer.content
    assert {name: answer.json()[name] for name in names} == given


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("keep_events_days", 29),
        ("keep_events_days", 0),
        ("keep_deliveries_days", 6),
        ("keep_deliveries_days", 31),
        ("keep_deliveries_days", None),
        ("keep_imports_days", 0),
        ("keep_imports_days", "90"),
        ("keep_transcripts_days", -1),
        ("keep_transcripts_days", 10**40),
        ("keep_transcripts_days", True),
    ],
)
def test_what_cannot_be_kept_so_long_is_refused(name: str, value: object) -> None:
    answer = Api(scope="admin").patch("settings/", {name: value})

    assert answer.status_code == 400
    assert set(error_of(answer)["fields"]) == {name}
