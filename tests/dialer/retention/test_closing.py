"""A closed workspace does nothing and is seen by nobody; after 30 days nothing of it is left, in any table."""

from datetime import datetime, timedelta

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from callbacks.models import Callback
from dialer.campaigns.report import report_url
from dialer.dialing import claim
from dialer.models import Call, Campaign, Contact, Import, ImportPart, Suppression
from dialer.retention import closing, purging
from dialer.retention.closing import KEPT, CallsUnderWay
from dialer.retention.tables import path_to_workspace
from dialer.tasks.housekeeping import purge_workspaces
from dialer.workspaces import api_keys
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import ApiKey, AuditEntry, Member, PurgedWorkspace, Workspace
from dialer.workspaces.transitions import TransitionConflict
from tests.api.client import Api
from tests.dialer.retention.everything import tell_of_a_contact
from tests.factories import (
    NOW,
    make_call,
    make_campaign,
    make_campaign_contact,
    make_contact,
    make_suppression,
    make_workspace,
)
from tests.webhooks.rows import make_endpoint
from tests.world import World, world
from webhooks.models import Endpoint, Event

__all__ = ["world"]

pytestmark = pytest.mark.django_db(transaction=True)

WITHOUT_A_WORKSPACE = {
    "admin.LogEntry",
    "auth.Group",
    "auth.Permission",
    "auth.User",
    "config.Heartbeat",
    "config.InboxMessage",  # of the demo's receiver, which stands for another system
    "contenttypes.ContentType",
    "sign_in.RecoveryCode",
    "sign_in.SecondFactor",
    "sign_in.Session",
    "workspaces.PurgedWorkspace",
    "workspaces.Workspace",
}
GOES_WITH_ITS_OWNER = {"dialer.CarrierEvent", "dialer.Pace", "webhooks.ChainSequence"}


def close(workspace: Workspace) -> Workspace:
    return closing.close(workspace.pk, actor=SYSTEM, reason="moved away", now=NOW)


def count_of_all_tables() -> dict[str, int]:
    with connection.cursor() as cursor:
        names = connection.introspection.table_names(cursor)
        found = {}
        for name in names:
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(name)}")  # noqa: S608
            found[name] = cursor.fetchone()[0]
    return found


def test_closing_ends_campaigns_calls_imports_endpoints_and_keys() -> None:
    workspace = make_workspace()
    campaigns = [make_campaign(workspace, status=status) for status in ("draft", "running", "paused", "completed")]
    waiting = make_campaign_contact(campaigns[1])
    alone = make_call(make_contact(workspace))
    api = Api(workspace)
    make_endpoint(workspace)
    source = Import.objects.create(workspace=workspace, status="running", bytes_total=9)
    ImportPart.objects.create(source=source, number=0, content=b"phone\n+49")

    close(workspace)

    statuses = Campaign.objects.order_by("id").values_list("status", flat=True)
    assert list(statuses) == ["cancelled", "cancelled", "cancelled", "completed"]
    waiting.refresh_from_db()
    alone.refresh_from_db()
    assert (waiting.state, alone.status, alone.outcome) == ("cancelled", "ended", "cancelled")
    assert set(Event.objects.values_list("type", flat=True)) >= {"campaign.ended"}
    assert not Endpoint.objects.filter(is_active=True).exists()
    assert not ApiKey.objects.filter(revoked_at=None).exists()
    assert api.get("contacts/").status_code == 401
    assert (Import.objects.get().status, ImportPart.objects.count()) == ("failed", 0)
    closed = AuditEntry.objects.get(object_type="workspace", verb="close")
    assert (closed.reason, closed.object_id) == ("moved away", workspace.public_id)


@pytest.mark.parametrize("status", ["dialing", "ringing", "in_progress"])
def test_a_workspace_is_not_closed_while_a_call_is_live(status: str) -> None:
    call = make_call(status=status)

    with pytest.raises(CallsUnderWay):
        close(call.workspace)

    assert Workspace.objects.get().closed_at is None


def test_a_closed_workspace_is_not_closed_again() -> None:
    workspace = make_workspace()
    close(workspace)

    with pytest.raises(TransitionConflict):
        close(workspace)


def test_nothing_is_dialled_for_a_closed_workspace() -> None:
    workspace = make_workspace()
    close(workspace)
    make_call(make_contact(workspace))  # a row that came by a way that nobody thought of

    assert claim.claim_due(limit=10, now=NOW) == []


def test_members_do_not_see_a_closed_workspace_and_a_superuser_does() -> None:
    member, root = User.objects.create_user("ann", is_staff=True), User.objects.create_superuser("root")
    workspace = make_workspace()
    Member.objects.create(workspace=workspace, user=member, role="viewer")
    make_contact(workspace)
    assert Contact.objects.visible_to(member).count() == 1

    close(workspace)

    assert list(Workspace.objects.visible_to(member)) == []
    assert list(Contact.objects.visible_to(member)) == []
    assert list(Workspace.objects.visible_to(root)) == [workspace]


def test_the_address_of_a_report_dies_with_its_workspace() -> None:
    campaign = make_campaign()
    address = report_url(campaign.pk, now=database_now())
    assert Client().get(address).status_code == 200

    close(campaign.workspace)

    assert Client().get(address).status_code == 404


def test_a_workspace_is_opened_again_within_thirty_days() -> None:
    workspace = make_workspace()
    close(workspace)

    closing.reopen(workspace.pk, actor=SYSTEM, now=NOW + KEPT - timedelta(seconds=1))

    assert Workspace.objects.get().closed_at is None
    assert not purging.purge_next(now=NOW + KEPT)


def test_a_key_that_a_request_under_way_made_after_the_closing_does_not_work_when_it_is_open_again() -> None:
    workspace = make_workspace()
    close(workspace)
    _, plain = api_keys.issue(workspace_id=workspace.pk, name="late", scope="read", actor=SYSTEM, now=NOW)

    closing.reopen(workspace.pk, actor=SYSTEM, now=NOW + timedelta(days=1))

    assert api_keys.authenticate(plain, now=NOW + timedelta(days=1)) is None


@pytest.mark.parametrize("closed_at", [NOW, None])
def test_an_open_workspace_or_one_that_is_being_purged_is_not_opened_again(closed_at: datetime | None) -> None:
    workspace = make_workspace(closed_at=closed_at)

    with pytest.raises(TransitionConflict):
        closing.reopen(workspace.pk, actor=SYSTEM, now=NOW + KEPT)


def test_every_model_leads_to_its_workspace_or_is_known_to_belong_to_none() -> None:
    """A new table that names its workspace is purged without anything to be added; one that does not fails here."""
    without = {model._meta.label for model in apps.get_models() if path_to_workspace(model) is None}  # noqa: SLF001

    assert without == WITHOUT_A_WORKSPACE | GOES_WITH_ITS_OWNER


def test_a_workspace_is_purged_thirty_days_after_it_was_closed_and_no_sooner() -> None:
    workspace = make_workspace()
    close(workspace)

    assert not purging.purge_next(now=NOW + KEPT - timedelta(seconds=1))
    assert purging.purge_next(now=NOW + KEPT)


def test_nothing_of_a_purged_workspace_is_left_in_any_table_and_all_of_the_others_is(world: World) -> None:
    tell_of_a_contact(world)
    purged = world.workspace
    neighbour = make_workspace(name="Globex")
    make_call(make_contact(neighbour), status="ended")
    make_suppression(neighbour, "+493055599")
    Call.objects.filter(workspace=purged, status__in=["dialing", "ringing", "in_progress"]).update(
        status="ended", outcome="answered", ended_at=world.now
    )
    filled = {name for name, count in count_of_all_tables().items() if count}
    assert filled >= {"callbacks_bulkrow", "dialer_importproblem", "webhooks_batchitem", "webhooks_chainsequence"}
    closing.close(purged.pk, actor=SYSTEM, now=world.now)

    rounds = 0
    while purging.purge_next(limit=7, now=world.now + KEPT):
        rounds += 1

    assert rounds > 20, "in batches"
    line = PurgedWorkspace.objects.get()
    assert (line.pk, line.name, line.closed_at) == (purged.pk, "Acme", world.now)
    assert _what_is_left() == {
        "dialer_call": 1,
        "dialer_callerid": 1,
        "dialer_contact": 1,
        "dialer_line": 1,
        "dialer_persona": 1,
        "dialer_suppression": 1,
        "workspaces_purgedworkspace": 1,
        "workspaces_workspace": 1,
    }
    assert set(Workspace.objects.all()) == {neighbour}
    assert Suppression.objects.get().workspace_id == neighbour.pk


def _what_is_left() -> dict[str, int]:
    ours = {model._meta.db_table for model in apps.get_models()}  # noqa: SLF001
    of_django = {"auth_group", "auth_permission", "django_content_type", "django_session"}
    return {name: count for name, count in count_of_all_tables().items() if count and name in ours - of_django}


def test_a_worker_that_dies_while_it_purges_leaves_the_rest_to_the_next(world: World) -> None:
    world.call()
    closing.close(world.workspace.pk, actor=SYSTEM, now=world.now)
    later = world.now + KEPT
    purging.purge_next(limit=1, now=later)

    while purging.purge_next(now=later):
        pass

    assert (Workspace.objects.count(), Callback.objects.count(), Call.objects.count()) == (0, 0, 0)


def test_beat_purges_what_was_closed_long_ago() -> None:
    make_workspace(closed_at=database_now() - KEPT)
    make_workspace(closed_at=database_now() - KEPT + timedelta(hours=1))

    purge_workspaces.apply(throw=True)

    assert Workspace.objects.count() == 1
