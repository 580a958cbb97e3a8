"""The small worlds in which mutants are shown; the engine as it is shipped comes through each without a violation."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from callbacks import scheduling
from callbacks.rules.statuses import CallbackType
from dialer.campaigns import lifecycle
from dialer.contacts import contacts, suppressions
from dialer.dialing import single_calls
from dialer.models import Call
from dialer.workspaces.audit import SYSTEM
from tests.simulation.deeds import ring, start_bulk, stop, write
from tests.simulation.drills import EACH_LONGER, Deed, Drill
from tests.simulation.script import Stage
from tests.simulation.stewards import carrier_away, edit, outage
from tests.simulation.world import ROUND_THE_CLOCK, START, CampaignPlan

OPEN = {"calling_hours": ROUND_THE_CLOCK}


def _first(stage: Stage) -> tuple[UUID, UUID, UUID | None]:
    """Return the workspace, the first contact and the first campaign."""
    tenant = stage.world.tenants[0]
    return tenant.id, tenant.people[0], next(iter(tenant.campaigns), None)


def promise(minutes_ahead: float) -> Deed:
    def deed(stage: Stage) -> None:
        workspace_id, contact_id, campaign_id = _first(stage)
        wanted = stage.now + timedelta(minutes=minutes_ahead)
        made = scheduling.request(
            workspace_id=workspace_id,
            contact_id=contact_id,
            campaign_id=campaign_id,
            type=CallbackType.CUSTOMER_REQUESTED,
            scheduled_at=wanted,
            actor=SYSTEM,
            now=stage.now,
        )
        stage.promised(made, wanted=wanted)

    return deed


def call_once(stage: Stage) -> None:
    workspace_id, contact_id, _ = _first(stage)
    made = single_calls.create(workspace_id, contact_id=contact_id, actor=SYSTEM, now=stage.now)
    stage.told("single call", made.call.pk, {})


def suppress(stage: Stage) -> None:
    workspace_id, contact_id, _ = _first(stage)
    phone = stage.world.people[str(contact_id)]["phone"]
    suppressions.add(workspace_id, [phone], reason="manual", actor=SYSTEM, now=stage.now)
    stage.world.record.told(stage.now, "suppressed", (str(workspace_id), phone), value=True)


def change_number(stage: Stage) -> None:
    workspace_id, contact_id, _ = _first(stage)
    phone = stage.world.number("+4930")
    contacts.edit(contact_id, workspace_id=workspace_id, phone=phone, actor=SYSTEM, now=stage.now)
    stage.world.told_contact(contact_id, phone=phone, now=stage.now)


def promise_on_their_clock(local: datetime) -> Deed:
    def deed(stage: Stage) -> None:
        workspace_id, contact_id, campaign_id = _first(stage)
        made = scheduling.request(
            workspace_id=workspace_id,
            contact_id=contact_id,
            campaign_id=campaign_id,
            type=CallbackType.CUSTOMER_REQUESTED,
            local_time=local,
            actor=SYSTEM,
            now=stage.now,
        )
        stage.promised(made, local=local)

    return deed


def ring_us(stage: Stage) -> None:
    ring(stage, _first(stage)[1], seconds=30)


def cancel_all(stage: Stage) -> None:
    start_bulk(stage, stage.world.tenants[0], "cancel", most=9)


def write_to(stage: Stage) -> None:
    write(stage, _first(stage)[0], _first(stage)[1])


def write_stop(stage: Stage) -> None:
    stop(stage, _first(stage)[1])


def pause_just_before_the_next_call(stage: Stage) -> None:
    workspace_id, _, campaign_id = _first(stage)
    assert campaign_id is not None

    def pause() -> None:
        lifecycle.pause(campaign_id, workspace_id=workspace_id, actor=SYSTEM, now=stage.now)
        stage.world.told_status(campaign_id, "paused", now=stage.now)

    due_at = Call.objects.get(status="queued").due_at
    stage.engine.at(due_at - timedelta(seconds=10), pause)


NOBODY_ANSWERS = Drill(name="nobody answers", hours=3.5)
TWO_RETRIES = Drill(
    name="two retries",
    hours=2,
    campaigns=(
        CampaignPlan(name="two retries", share=1, schedule=OPEN, rules={"no_answer": {"delays": [20], "limit": 2}}),
    ),
)
ALWAYS_BUSY = Drill(name="always busy", hours=3.5, ends=("busy",))
TWO_CAMPAIGNS_WITH_LIMITS = Drill(
    name="two campaigns with limits",
    hours=2,
    campaigns=tuple(
        CampaignPlan(
            name=name,
            share=1,
            schedule=OPEN,
            rules=EACH_LONGER,
            limits=[{"max": 2, "period_hours": 6, "scope": "campaign"}],
        )
        for name in ("one", "other")
    ),
)
A_SHORT_AND_A_LONG_LIMIT = Drill(
    name="a short and a long limit",
    hours=3.5,
    workspace={
        "contact_limits": [
            {"max": 9, "period_hours": 1, "scope": "number"},
            {"max": 3, "period_hours": 6, "scope": "number"},
        ]
    },
)
PROMISED_AT_NIGHT = Drill(
    name="promised at night",
    starts_at=START + timedelta(hours=5),
    hours=4.5,
    campaigns=(),
    people=1,
    workspace={"schedule": {"calling_hours": {"start": "09:00", "end": "20:00"}}},
    deeds=((1, call_once), (2, promise(30))),
)
ANSWERED_BESIDE_A_RETRY = Drill(
    name="answered beside a retry",
    hours=1,
    ends=("no_answer", "answered"),
    campaigns=(),
    workspace={"schedule": {**OPEN, "callback_retry_schedule": [30]}},
    deeds=((0, call_once), (5, call_once)),
)
PROMISED_DURING_A_TALK = Drill(
    name="promised during a talk",
    hours=1,
    ends=("answered",),
    talk=timedelta(minutes=5),
    deeds=((2, promise(180)),),
)
PROMISED_WHILE_IT_RINGS = Drill(
    name="promised while it rings",
    hours=0.2,
    ends=("voicemail",),
    talk=timedelta(minutes=5),
    campaigns=(),
    workspace={"schedule": {**OPEN, "callback_retry_schedule": [30]}},
    deeds=((0, call_once), (2, promise(180))),
)
THE_WINDOW_SHRINKS = Drill(
    name="the window shrinks",
    hours=1,
    deeds=((5, edit("drill", {"calling_hours": {"start": "09:00", "end": "12:15"}})),),
)
SUPPRESSED = Drill(name="suppressed", hours=1, deeds=((5, suppress),))
THE_NUMBER_CHANGES = Drill(name="the number changes", hours=0.5, deeds=((5, change_number),))
PAUSED_AT_THE_LAST_MOMENT = Drill(
    name="paused at the last moment", hours=0.5, deeds=((5, pause_just_before_the_next_call),)
)
DOWN_FOR_LONG = Drill(name="down for long", hours=4, workspace={"stale_after_hours": 1}, deeds=((10, outage(3)),))
TWO_CAMPAIGNS_ONE_NUMBER = Drill(
    name="two campaigns, one number",
    hours=0.3,
    ends=("answered",),
    talk=timedelta(minutes=5),
    campaigns=tuple(CampaignPlan(name=name, share=1, schedule=OPEN) for name in ("one", "other")),
)
TWO_WORKSPACES = Drill(name="two workspaces", hours=0.2, other_workspace=True)
THE_CARRIER_IS_SILENT = Drill(name="the carrier is silent", hours=0.3, silent=True)

CALLED_BACK_BY_THEMSELVES = Drill(name="called back by themselves", hours=0.5, deeds=((5, ring_us),))
TAKEN_OUT_IN_BULK = Drill(name="taken out in bulk", hours=0.5, people=2, deeds=((5, cancel_all),))
THE_CARRIER_IS_AWAY = Drill(name="the carrier is away", hours=1.5, deeds=((5, carrier_away(1)),))
WRITTEN_TO = Drill(name="written to", hours=0.2, deeds=((5, write_to),))
WROTE_STOP = Drill(name="wrote STOP", hours=0.5, deeds=((5, write_stop),))
IN_A_REPEATED_HOUR = Drill(
    name="in a repeated hour",
    starts_at=datetime(2025, 10, 25, 20, 0, tzinfo=UTC),
    hours=1,
    zone="Europe/Berlin",
    deeds=((5, promise_on_their_clock(datetime(2025, 10, 26, 2, 30))),),  # noqa: DTZ001 — on their clock
)

ALL = tuple(value for value in globals().values() if isinstance(value, Drill))
