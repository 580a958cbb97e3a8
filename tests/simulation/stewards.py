"""What those do who run campaigns and machines: a plan of the two weeks, the same for every seed."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from dialer.campaigns import lifecycle, membership
from dialer.dialing import single_calls
from dialer.dialing.single_calls import NumberSuppressed
from dialer.models import Campaign, Contact
from dialer.workspaces.audit import SYSTEM
from tests.simulation.world import ROUND_THE_CLOCK

if TYPE_CHECKING:
    from tests.simulation.script import Stage
    from tests.simulation.world import Settings

Overdue = Literal["call", "reschedule", "cancel"]


def _pause(name: str) -> "Callable[[Stage], None]":
    def work(stage: "Stage") -> None:
        campaign = _named(name)
        lifecycle.pause(campaign.pk, workspace_id=campaign.workspace_id, actor=SYSTEM, now=stage.now)
        stage.world.told_status(campaign.pk, "paused", now=stage.now)

    return work


def _resume(name: str, overdue: Overdue) -> "Callable[[Stage], None]":
    def work(stage: "Stage") -> None:
        campaign = _named(name)
        lifecycle.resume(campaign.pk, workspace_id=campaign.workspace_id, overdue=overdue, actor=SYSTEM, now=stage.now)
        stage.world.record.told(stage.now, "resumed", (str(campaign.pk),), overdue)
        stage.world.told_status(campaign.pk, "running", now=stage.now)

    return work


def _cancel(name: str) -> "Callable[[Stage], None]":
    def work(stage: "Stage") -> None:
        campaign = _named(name)
        lifecycle.cancel(campaign.pk, workspace_id=campaign.workspace_id, actor=SYSTEM, now=stage.now)
        stage.world.told_status(campaign.pk, "cancelled", now=stage.now)

    return work


def edit(name: str, schedule: "Settings") -> "Callable[[Stage], None]":
    def work(stage: "Stage") -> None:
        campaign = _named(name)
        named = stage.world.campaigns[str(campaign.pk)]["time_zone"]
        zone = {"time_zone": named} if named else {}
        lifecycle.edit(
            campaign.pk,
            workspace_id=campaign.workspace_id,
            schedule={**schedule, **zone},
            actor=SYSTEM,
            now=stage.now,
        )
        stage.world.told_campaign(campaign.pk, now=stage.now, schedule=schedule)

    return work


def outage(hours: float) -> "Callable[[Stage], None]":
    def work(stage: "Stage") -> None:
        until = stage.now + timedelta(hours=hours)
        stage.world.record.told(stage.now, "workers", (), "down")
        stage.engine.fall(until)
        stage.engine.at(until, lambda: stage.world.record.told(stage.now, "workers", (), "up"))

    return work


def carrier_away(hours: float) -> "Callable[[Stage], None]":
    def work(stage: "Stage") -> None:
        def back() -> None:
            stage.network.is_away = False
            stage.world.record.told(stage.now, "carrier", (), "back")

        stage.network.is_away = True
        stage.world.record.told(stage.now, "carrier", (), "away")
        stage.engine.at(stage.now + timedelta(hours=hours), back)

    return work


def _late_comers(stage: "Stage") -> None:
    """Put those who come later into their campaigns, as far as these go on."""
    for tenant in stage.world.tenants:
        for campaign_id, people in list(tenant.late_comers.items()):
            if _is_open(campaign_id):
                half = people[: (len(people) + 1) // 2]
                tenant.late_comers[campaign_id] = people[len(half) :]
                membership.put_in(campaign_id, half, workspace_id=tenant.id, now=stage.now)


def _call_once_more(stage: "Stage") -> None:
    """Call a third of the people outside campaigns, the same ones each time: beside each other's retries."""
    for tenant in stage.world.tenants:
        for contact_id in tenant.people[::3]:
            try:
                single_calls.create(tenant.id, contact_id=contact_id, actor=SYSTEM, now=stage.now)
            except (NumberSuppressed, Contact.DoesNotExist):
                continue


def _is_open(campaign_id: UUID) -> bool:
    return Campaign.objects.filter(pk=campaign_id, status__in=["running", "paused"]).exists()


def _named(name: str) -> Campaign:
    found: Campaign = Campaign.objects.get(name=name)
    return found


PLAN: "Sequence[tuple[str, int, float, Callable[[Stage], None]]]" = (
    ("called once more", 0, 6, _call_once_more),
    ("paused", 0, 15, _pause("round the clock")),
    ("late-comers", 0, 20, _late_comers),
    ("called once more", 0, 16, _call_once_more),
    ("resumed, overdue called", 1, 11.5, _resume("round the clock", "call")),
    ("called once more", 1, 16, _call_once_more),
    ("outage", 1, 4.5, outage(10)),
    ("carrier away", 2, 14, carrier_away(2)),
    ("edited", 2, 9, edit("by the defaults", {"calling_hours": {"start": "10:00", "end": "13:00"}})),
    ("paused", 2, 7, _pause("eager")),
    ("outage", 3, 3.1, outage(8)),
    ("resumed, overdue moved", 3, 13, _resume("eager", "reschedule")),
    ("edited", 4, 9, edit("by the defaults", {"callback_retry_schedule": [60, 120, 180], "days": "weekend_off"})),
    ("paused", 5, 0.5, _pause("limited")),
    ("late-comers", 5, 8, _late_comers),
    ("resumed, overdue cancelled", 5, 12, _resume("limited", "cancel")),
    ("cancelled", 6, 10, _cancel("weekdays, once")),
    (
        "edited",
        7,
        6,
        edit("round the clock", {"calling_hours": ROUND_THE_CLOCK, "auto_callback": False}),
    ),
    ("paused", 7, 12, _pause("by the defaults")),
    ("outage", 9, 22, outage(1)),
    ("resumed, overdue called", 11, 2, _resume("by the defaults", "call")),
    ("carrier away", 10, 7, carrier_away(5)),
    ("outage", 12, 15, outage(5)),
)
"""Name, day, hour of the day (UTC), deed. A pause of 86 hours makes retries stale that wait for 72."""
