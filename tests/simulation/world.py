"""Who is called in the two weeks: workspaces, campaigns and people, made by the shipped verbs and written down.

What is written down is what Ringback was asked for, in the words in which it was asked, once it said yes: the checker
reads it so. Nothing is read back from Ringback's rows.
"""

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from dialer.campaigns import lifecycle, membership
from dialer.contacts import contacts
from dialer.contacts.contacts import Taken
from dialer.setup import lines, personas, retry_policies, workspace_settings
from dialer.workspaces.audit import SYSTEM
from tests.simulation.record import Record

START = datetime(2025, 3, 24, 0, 0, tzinfo=UTC)
"""A Monday. Europe's clocks go forward on the seventh day, Adelaide's and (by half an hour) Lord Howe's go back on the
fourteenth."""
STARTS = {"spring": START, "autumn": datetime(2025, 10, 20, 0, 0, tzinfo=UTC)}
"""In autumn Europe's clocks go back on the seventh day, North America's on the fourteenth."""
MOST_CAMPAIGNS = 6
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
    number: str
    """The one that people may ring, and write to."""
    spare_numbers: list[str]
    """Of its line: each campaign shows one of its own."""
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
    people: dict[str, dict[str, str]] = field(default_factory=dict)
    """Every contact by id, as Ringback was told last."""
    campaigns: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Every campaign by id, as it was asked for last."""
    owners: dict[str, str] = field(default_factory=dict)
    """The workspace of each number; no two share one."""
    bulks: dict[UUID, Mapping[int, UUID]] = field(default_factory=dict)
    """Of each bulk action that is under way: the callbacks that were chosen, each with its call."""
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
        workspace = workspace_settings.open_workspace(actor=SYSTEM, now=now, **settings)
        persona = personas.create_persona(workspace.id, name="Sara", actor=SYSTEM, now=now)
        number, *spare = [self.number("+4961") for _ in range(MOST_CAMPAIGNS + 1)]
        # Without a pace, so that what falls due at one second is placed in one batch; one of the campaigns has its own.
        lines.create_line(
            workspace.id,
            name="Simulated",
            is_default=True,
            calls_per_second=None,
            caller_ids=[number, *spare],
            actor=SYSTEM,
            now=now,
        )
        told = {name: settings[name] for name in ("time_zone", "schedule", "stale_after_hours")}
        told |= {"limits": settings["contact_limits"], "rules": DEFAULT_RULES}
        self.record.told(now, "workspace", (str(workspace.id),), told)
        return Tenant(
            id=workspace.id, persona_id=persona.id, number=number, spare_numbers=spare, people=[], campaigns=[]
        )

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
        for row, answer in zip(rows, taken, strict=True):
            assert isinstance(answer, Taken), answer
            found.append(answer.contact.id)
            told = {"phone": row["phone"], "time_zone": row["time_zone"], "workspace": str(workspace_id)}
            self.told_contact(answer.contact.id, now=now, **told)
        return found

    def told_contact(self, contact_id: UUID, *, now: datetime, **told: str) -> None:
        """Write down what was said of a contact; what was not said stays."""
        value = self.people[str(contact_id)] = {**self.people.get(str(contact_id), {}), **told}
        self.owners.setdefault(value["phone"], value["workspace"])
        self.record.told(now, "contact", (str(contact_id),), value)

    def only_one_with(self, phone: str) -> str:
        """Return the one contact who has a number; asked only of numbers that nobody shares."""
        (contact_id,) = [contact_id for contact_id, told in self.people.items() if told["phone"] == phone]
        return contact_id

    def is_shared(self, phone: str) -> bool:
        return sum(told["phone"] == phone for told in self.people.values()) > 1

    def told_campaign(self, campaign_id: UUID, *, now: datetime, **told: Any) -> None:
        """Write down what was asked for a campaign; what was not asked for stays."""
        value = self.campaigns[str(campaign_id)] = {**self.campaigns.get(str(campaign_id), {}), **told}
        self.record.told(now, "campaign", (str(campaign_id),), value)

    def told_status(self, campaign_id: UUID, status: str, *, now: datetime) -> None:
        self.record.told(now, "campaign_status", (str(campaign_id),), status)

    def begin(self, tenant: Tenant, plan: CampaignPlan, people: Sequence[UUID], *, now: datetime) -> UUID:
        """Make a campaign that calls these people, and start it."""
        policy = (
            retry_policies.create_policy(tenant.id, name=plan.name, rules=plan.rules, actor=SYSTEM, now=now)
            if plan.rules
            else None
        )
        caller_id = tenant.spare_numbers.pop()
        schedule = {**plan.schedule, **({"time_zone": plan.time_zone} if plan.time_zone else {})}
        campaign = lifecycle.create(
            tenant.id,
            name=plan.name,
            persona_id=tenant.persona_id,
            schedule=schedule,
            contact_limits=plan.limits,
            retry_policy_id=policy.id if policy else None,
            calls_per_second=plan.calls_per_second,
            max_concurrent_calls=plan.max_concurrent_calls,
            priority=plan.priority,
            caller_id=caller_id,
            actor=SYSTEM,
            now=now,
        ).campaign
        self.told_campaign(
            campaign.id,
            now=now,
            workspace=str(tenant.id),
            time_zone=plan.time_zone,
            schedule=plan.schedule,
            limits=plan.limits or NO_LIMITS,
            rules=plan.rules,
            caller_id=caller_id,
            is_paced=plan.calls_per_second is not None or plan.max_concurrent_calls is not None,
        )
        membership.put_in(campaign.id, people, workspace_id=tenant.id, now=now)
        self.told_status(campaign.id, "running", now=now)
        lifecycle.start(campaign.id, workspace_id=tenant.id, actor=SYSTEM, now=now)
        tenant.campaigns.append(campaign.id)
        found: UUID = campaign.id
        return found
