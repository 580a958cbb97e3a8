"""What the voice agent does while a contact is on the phone."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from callbacks import scheduling
from callbacks.rules.statuses import CallbackType
from dialer.dialing import conversation
from dialer.models import Call
from dialer.workspaces.audit import SYSTEM

if TYPE_CHECKING:
    from tests.simulation.script import Stage

Work = Callable[["Stage", UUID], Any]


def choose(dice: random.Random) -> Work | None:
    """Say what the agent does in a call, mostly nothing but talk."""
    chance = dice.random()
    if chance < 0.12:
        return asked_for_a_callback
    return asked_not_to_be_called if chance < 0.15 else None


def asked_for_a_callback(stage: "Stage", call_id: UUID) -> None:
    call = Call.objects.get(pk=call_id)
    wanted = stage.now + timedelta(minutes=stage.dice.choice((5, 60, 600, 2_000)))
    made = scheduling.request(
        workspace_id=call.workspace_id,
        contact_id=call.contact_id,
        campaign_id=call.campaign_id,
        origin_call_id=call.pk,
        type=CallbackType.CUSTOMER_REQUESTED,
        scheduled_at=wanted,
        actor=SYSTEM,
        now=stage.now,
    )
    stage.promised(made, wanted=wanted)


def asked_not_to_be_called(stage: "Stage", call_id: UUID) -> None:
    record, number = stage.world.record, stage.world.record.number_of(str(call_id))
    owner = stage.world.owners[number]
    call = conversation.request_dnc(call_id, workspace_id=UUID(owner), actor=SYSTEM, now=stage.now)
    record.told(stage.now, "asked not to be called", (str(call_id),))
    for suppressed in sorted({number, stage.world.people[str(call.contact_id)]["phone"]}):
        record.told(stage.now, "suppressed", (owner, suppressed), value=True)
