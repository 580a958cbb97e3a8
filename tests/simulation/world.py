"""Who is called in the two weeks: workspaces, campaigns and people, made by the shipped verbs and written down.

What is written down is what Ringback was told, in the plain words in which it was told: the checker reads it so.
"""

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from dialer import campaign_contacts, campaigns, contacts, resources
from dialer.contacts import Taken
from dialer.models import Campaign
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.models import Workspace
from tests.simulation.record import Record

START = datetime(2025, 3, 24, 0, 0, tzinfo=UTC)
"""A Monday. Europe's clocks go forward on the sixth day, Adelaide's and (by half an hour) Lord Howe's go back on the
thirteenth."""
FORTNIGHT = timedelta(days=14)

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Asia/Kathmandu",
    "America/Los_Angeles",
)
NUMBERS_WITH_ZONES = ("+91222", "+6141", "+1201", "+88213", "+7912")
"""Whose plan names one zone, several, or none at all (a satellite phone)."""

Settings = Mapping[str, Any]
NO_LIMITS: list[dict[str, Any]] = []
THREE_A_DAY = [{"max": 3, "period_hours": 24, "scope": "number"}]
TWO_IN_TWO_DAYS = [{"max": 2, "period_hours": 48, "scope": "campaign"}]
ROUND_THE_CLOCK = {"start": "00:00", "end": "24:00"}

DEFAULT_RULES: Settings = {
    "voicemail": {"delays": [1440], "limit": 3},
    "no_answer": {"delays": [1440], "limit": 3},
    "busy": {"delays": [60], "limit": 5},
    "network_error": {"delays": [30], "limit": 3},
}
EAGER_RULES: Settings = {
    "voicemail": {"delays": [240, 1440], "limit": 2},
    "no_answer": {"delays": [90, 600, 1440], "limit": 4},
    "busy": {"delays": [10], "limit": 6},
    "declined": {"delays": [2880], "limit": 1},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignPlan:
    """A campaign as it is told to Ringback, and the share of the people whom it calls."""

    name: str
    share: float
    schedule: Settings = field(default_factory=dict)
    limits: Sequence[Settings] | None = None
    rules: Settings | None = None
    time_zone: str = ""
    calls_per_second: float | None = None
    max_concurrent_calls: int | None = None
    priority: int = 0


NORTH = (
    CampaignPlan(name="by the defaults", share=0.3),
    CampaignPlan(
        name="round the clock",
        share=0.25,
        schedule={"calling_hours": ROUND_THE_CLOCK, "callback_retry_schedule": [5, 30, 120, 1440]},
        limits=[{"max": 2, "period_hours": 6, "scope": "campaign"}],
    ),
    CampaignPlan(
        name="at night",
        share=0.15,
        schedule={
            "calling_hours": {day: [{"start": "01:30", "end": "03:30"}] for day in ("thu", "fri", "sat", "sun", "mon")},
            "max_callback_attempts": 2,
        },
        rules=EAGER_RULES,
    ),
    CampaignPlan(
        name="in office hours, slowly",
        share=0.1,
        schedule={
            "calling_hours": {
                day: [{"start": "09:00", "end": "12:00"}, {"start": "14:00", "end": "18:30"}]
                for day in ("mon", "tue", "wed", "thu", "fri")
            },
            "holidays": {"region": "DE-BY", "dates": ["2025-04-03"]},
        },
        calls_per_second=0.5,
        max_concurrent_calls=20,
        priority=5,
    ),
    CampaignPlan(
        name="weekdays, once", share=0.1, schedule={"days": "weekend_off", "auto_callback": False}, priority=-5
    ),
)
SOUTH = (
    CampaignPlan(
        name="limited",
        share=0.25,
        limits=TWO_IN_TWO_DAYS,
        schedule={"calling_hours": {"start": "08:00", "end": "21:00"}},
    ),
    CampaignPlan(
        name="eager",
        share=0.3,
        rules=EAGER_RULES,
        time_zone="Asia/Kathmandu",
        schedule={"calling_hours": {"start": "10:00", "end": "22:00"}, "days": ["mon", "tue", "wed", "fri", "sat"]},
    ),
)


@dataclass(slots=True, kw_only=True)
class Tenant:
    """A workspace with what it owns."""

    id: UUID
    persona_id: UUID
    people: list[UUID]
    campaigns: list[UUID]
    late_comers: dict[UUID, list[UUID]] = field(default_factory=dict)
    """People who are put into a campaign while it runs."""


@dataclass(slots=True, kw_only=True)
class World:
    """All that there is at the beginning, and the way to tell Ringback more."""

    record: Record
    dice: random.Random
    tenants: list[Tenant] = field(default_factory=list)
    rules: dict[UUID, Settings | None] = field(default_factory=dict)
    """The retry policy that each campaign was given."""
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(2_000_001))

    def settle(self, people: int, *, now: datetime) -> None:
        """Make two workspaces, two thirds of the people in the first, and start their campaigns."""
        north = self.open(
            {
                "name": "North",
                "time_zone": "Europe/Berlin",
                "schedule": {},
                "contact_limits": THREE_A_DAY,
                "stale_after_hours": 72,
            },
            now=now,
        )
        south = self.open(
            {
                "name": "South",
                "time_zone": "Asia/Kolkata",
                "schedule": {"calling_hours": {"start": "09:30", "end": "19:00"}, "max_callback_attempts": 2},
                "contact_limits": NO_LIMITS,
                "stale_after_hours": 1,
            },
            now=now,
        )
        for tenant, count, plans in (
            (north, people * 2 // 3, NORTH),
            (south, people - people * 2 // 3, SOUTH),
        ):
            tenant.people = self.meet(tenant.id, self._people(count), now=now)
            for plan in plans:
                wanted = self.dice.sample(tenant.people, int(len(tenant.people) * plan.share))
                later = len(wanted) // 5
                campaign_id = self.begin(tenant, plan, wanted[later:], now=now)
                tenant.late_comers[campaign_id] = wanted[:later]
            self.tenants.append(tenant)

    def number(self, prefix: str = "") -> str:
        """Make up a number that nobody has."""
        prefix = prefix or self.dice.choice(("+4930", "+1201", "+9122", "+6188", "+4989"))
        return f"{prefix}{next(self._numbers):07d}"

    def open(self, settings: dict[str, Any], *, now: datetime) -> Tenant:
        workspace = resources.open_workspace(actor=SYSTEM, now=now, **settings)
        persona = resources.create_persona(workspace.id, name="Sara", actor=SYSTEM, now=now)
        # Without a pace, so that what falls due at one second is placed in one batch; one of the campaigns has its own.
        resources.create_line(
            workspace.id, name="Simulated", is_default=True, calls_per_second=None, actor=SYSTEM, now=now
        )
        self._told_workspace(workspace, now=now)
        return Tenant(id=workspace.id, persona_id=persona.id, people=[], campaigns=[])

    def _told_workspace(self, workspace: Workspace, *, now: datetime) -> None:
        settings = {
            "time_zone": workspace.time_zone,
            "schedule": workspace.schedule,
            "limits": workspace.contact_limits,
            "stale_after_hours": workspace.stale_after_hours,
            "rules": DEFAULT_RULES,
        }
        self.record.told(now, "workspace", (str(workspace.id),), settings)

    def _people(self, count: int) -> list[dict[str, str]]:
        """Make people: most with a clock of their own, some whose number says it or does not, some sharing a number."""
        rows: list[dict[str, str]] = []
        for _ in range(count):
            chance = self.dice.random()
            if chance < 0.85:
                row = {"phone": self.number(), "time_zone": self.dice.choice(ZONES)}
            else:
                row = {"phone": self.number(self.dice.choice(NUMBERS_WITH_ZONES)), "time_zone": ""}
            if chance < 0.06 and rows:
                row["phone"] = self.dice.choice(rows)["phone"]
            rows.append({**row, "name": "Somebody", "external_id": f"p-{len(rows)}"})
        return rows

    def meet(self, workspace_id: UUID, rows: Sequence[Mapping[str, str]], *, now: datetime) -> list[UUID]:
        """Take people in as contacts; return their ids."""
        taken = contacts.take_in(workspace_id, rows, now=now)  # type: ignore[arg-type]
        found = []
        for answer in taken:
            assert isinstance(answer, Taken), answer
            found.append(answer.contact.id)
            self.told_contact(answer.contact, now=now)
        return found

    def told_contact(self, contact: Any, *, now: datetime) -> None:
        value = {"phone": contact.phone, "time_zone": contact.time_zone, "workspace": str(contact.workspace_id)}
        self.record.told(now, "contact", (str(contact.id),), value)

    def told_campaign(self, campaign: Campaign, *, now: datetime) -> None:
        settings = {
            "workspace": str(campaign.workspace_id),
            "time_zone": campaign.time_zone,
            "schedule": campaign.schedule,
            "limits": campaign.contact_limits or NO_LIMITS,
            "rules": self.rules[campaign.id],
            "is_paced": campaign.calls_per_second is not None or campaign.max_concurrent_calls is not None,
        }
        self.record.told(now, "campaign", (str(campaign.id),), settings)

    def told_status(self, campaign_id: UUID, status: str, *, now: datetime) -> None:
        self.record.told(now, "campaign_status", (str(campaign_id),), status)

    def begin(self, tenant: Tenant, plan: CampaignPlan, people: Sequence[UUID], *, now: datetime) -> UUID:
        """Make a campaign that calls these people, and start it."""
        policy = (
            resources.create_policy(tenant.id, name=plan.name, rules=plan.rules, actor=SYSTEM, now=now)
            if plan.rules
            else None
        )
        schedule = {**plan.schedule, **({"timezone": plan.time_zone} if plan.time_zone else {})}
        campaign = campaigns.create(
            tenant.id,
            name=plan.name,
            persona_id=tenant.persona_id,
            schedule=schedule,
            contact_limits=plan.limits,
            retry_policy_id=policy.id if policy else None,
            calls_per_second=plan.calls_per_second,
            max_concurrent_calls=plan.max_concurrent_calls,
            priority=plan.priority,
            actor=SYSTEM,
            now=now,
        ).campaign
        self.rules[campaign.id] = plan.rules
        self.told_campaign(campaign, now=now)
        campaign_contacts.put_in(campaign.id, people, workspace_id=tenant.id, now=now)
        self.told_status(campaign.id, "running", now=now)
        campaigns.start(campaign.id, workspace_id=tenant.id, actor=SYSTEM, now=now)
        tenant.campaigns.append(campaign.id)
        found: UUID = campaign.id
        return found
