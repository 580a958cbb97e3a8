"""The dialer's tasks: each finds by the rows alone what there is to do, at the time that it is now."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from dialer import tasks
from dialer.campaigns import imports
from dialer.dialing import carrier_reports
from dialer.dialing.line_health import REJECTED
from dialer.messages import messages
from dialer.messages.messages import IN_DOUBT_AFTER
from dialer.models import Call, Contact, Import
from dialer.rules.circuit import REJECTIONS
from dialer.sign_in.models import Session
from dialer.tasks import imports as import_tasks
from dialer.tasks import messages as message_tasks
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.clock import database_now
from dialer.workspaces.idempotency import KEPT
from dialer.workspaces.models import IdempotentRequest, Workspace
from tests.broker import Broker, broker
from tests.config.processes import eventually
from tests.draining import at_work, stoppable
from tests.factories import (
    ROUND_THE_CLOCK,
    make_call,
    make_campaign,
    make_campaign_contact,
    make_contact,
    make_line,
    make_message,
    make_workspace,
)
from tests.in_process_carrier import InProcessCarrier, ended
from tests.pipeline import carrier

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["broker", "carrier", "stoppable"]

MINUTE = timedelta(minutes=1)
FILE = "phone,name\n+4930901820,Ann\n+4930901821,Bob\n"


def a_queued_call(**fields: Any) -> Call:
    member = make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK), state="calling")
    return make_call(campaign_contact=member, **{"due_at": database_now(), "rank": 2, **fields})


def received() -> Import:
    return imports.receive(make_workspace().pk, [FILE.encode()], actor=SYSTEM, now=database_now())


def test_a_waiting_contact_is_called_by_a_tick_and_the_worker_that_takes_its_message(
    carrier: InProcessCarrier, broker: Broker
) -> None:
    member = make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK))

    tasks.tick()

    (message,) = broker.take("dial")
    assert message.task == "dialer.place_calls"
    assert carrier.placed == []
    tasks.place_calls(*message.args)
    assert carrier.numbers() == [member.contact.phone]


def test_a_tick_claims_a_call_again_whose_message_was_lost(broker: Broker) -> None:
    call = a_queued_call(generation=3, lease_until=database_now() - MINUTE)

    tasks.tick()

    (message,) = broker.take("dial")
    ((call_id, generation),) = message.args[0]
    assert call_id == str(call.pk)
    assert generation > 3, "the lost message, should it come, would find its call"


def test_a_tick_decides_what_follows_a_call_where_that_failed_before(broker: Broker) -> None:
    call = a_queued_call(status="ended", outcome="no_answer", ended_reason="no_answer", follow_up_pending=True)

    tasks.tick()

    assert call.campaign_contact is not None
    call.campaign_contact.refresh_from_db()
    assert call.campaign_contact.state == "callback_pending"


def test_a_report_that_comes_while_the_loop_runs_ends_its_call_without_a_further_message(
    stoppable: None, broker: Broker
) -> None:
    first, second = (a_queued_call(status="dialing", dialing_at=database_now()) for _ in range(2))

    with at_work(tasks.apply_carrier_events.apply):
        for call in (first, second):
            carrier_reports.store("simulated", [ended(call.pk, database_now(), "answered")])
            ended_call = Call.objects.filter(pk=call.pk, status="ended")
            eventually(ended_call.exists, what=f"call {call.pk} ends")


def test_a_call_of_which_nothing_is_heard_and_the_carrier_knows_nothing_is_given_up(carrier: InProcessCarrier) -> None:
    long_ago = database_now() - 10 * MINUTE
    quiet = a_queued_call(status="dialing", dialing_at=long_ago, check_at=long_ago)

    tasks.check_open_calls()

    assert Call.objects.get(pk=quiet.pk).outcome == "unknown"


def test_a_cancelled_call_whose_message_was_lost_is_hung_up_by_the_next_check(carrier: InProcessCarrier) -> None:
    now = database_now()
    live = a_queued_call(status="ringing", cancel_requested_at=now, hang_up_at=now, check_at=now + MINUTE)

    tasks.check_open_calls()

    assert carrier.hung_up == [live.pk]


@pytest.fixture
def texting() -> Workspace:
    workspace = make_workspace()
    make_line(workspace, is_default=True)
    return workspace


def write(workspace: Workspace) -> None:
    contact = make_contact(workspace)
    messages.create(workspace.pk, contact_id=contact.pk, body="We call at five.", actor=SYSTEM, now=database_now())


def test_a_text_message_that_is_due_is_sent(texting: Workspace, carrier: InProcessCarrier, broker: Broker) -> None:
    write(texting)

    tasks.send_messages()

    assert len(carrier.texts) == 1
    assert broker.take("default") == []


def test_where_more_messages_wait_than_one_worker_takes_a_successor_is_sent_for(
    texting: Workspace, carrier: InProcessCarrier, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_tasks, "BATCH", 2)
    for _ in range(3):
        write(texting)

    tasks.send_messages()

    assert len(carrier.texts) == 2
    (message,) = broker.take("default")
    assert message.task == "dialer.send_messages"


def test_a_message_in_the_hands_of_a_lost_worker_is_called_unknown_and_is_not_sent_again(
    carrier: InProcessCarrier,
) -> None:
    lost = make_message(status="sending", handed_at=database_now() - IN_DOUBT_AFTER - MINUTE)

    tasks.send_messages()

    lost.refresh_from_db()
    assert lost.status == "unknown"
    assert carrier.texts == []


def test_campaigns_complete_pause_and_fail_when_it_is_their_time() -> None:
    finished, over = make_campaign(), make_campaign(end_at=database_now() - MINUTE)
    rejected = make_campaign(line=make_line(down_reason=REJECTED, outages_in_a_row=REJECTIONS))
    make_campaign_contact(finished, state="reached")
    for campaign in (over, rejected):
        make_campaign_contact(campaign)

    tasks.sweep_campaigns()

    for campaign, status in ((finished, "completed"), (over, "paused"), (rejected, "failed")):
        campaign.refresh_from_db()
        assert campaign.status == status


def test_an_import_whose_message_was_lost_is_nudged_again_and_one_that_somebody_is_at_is_not(broker: Broker) -> None:
    lost, at_work_on = (received() for _ in range(2))
    Import.objects.filter(pk=at_work_on.pk).update(lease_until=database_now() + MINUTE)

    tasks.resume_imports()

    (message,) = broker.take("default")
    assert (message.task, message.args) == ("dialer.import_contacts", [str(lost.pk)])
    tasks.import_contacts(*message.args)
    assert set(Contact.objects.values_list("workspace", flat=True)) == {lost.workspace_id}
    assert Contact.objects.count() == 2


def test_an_import_whose_turn_is_over_goes_on_with_a_message_of_its_own(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = received()
    monkeypatch.setattr(imports, "ROWS", 1)
    monkeypatch.setattr(import_tasks, "TURN_SECONDS", 0)

    tasks.import_contacts(str(source.pk))

    (message,) = broker.take("default")
    assert (message.task, message.args) == ("dialer.import_contacts", [str(source.pk)])
    assert Contact.objects.count() == 1


def test_expired_sessions_are_forgotten_and_others_kept() -> None:
    user, now = User.objects.create(username="olga"), database_now()
    for at in (now - MINUTE, now + MINUTE):
        Session.objects.create(pk=at.isoformat(), session_data="", expire_date=at, user=user, seen_at=now)

    tasks.forget_sessions()

    assert Session.objects.get().expire_date == now + MINUTE


def test_kept_answers_are_forgotten_after_a_day() -> None:
    workspace, now = make_workspace(), database_now()
    for name, age in (("old", KEPT + MINUTE), ("young", KEPT - MINUTE)):
        IdempotentRequest.objects.create(workspace=workspace, name=name, fingerprint=b"", created_at=now - age)

    tasks.forget_answers()

    assert IdempotentRequest.objects.get().name == "young"
