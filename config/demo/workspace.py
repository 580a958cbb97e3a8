"""The demo's workspace: contacts to call, callbacks that fall due, and an endpoint for webhooks."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from callbacks import scheduling
from callbacks.rules.statuses import CallbackType
from config.models import Demo
from dialer.campaigns import imports, lifecycle, membership
from dialer.models import Campaign, Contact, Persona
from dialer.setup import lines, personas, workspace_settings
from dialer.workspaces import api_keys
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.models import Member, Workspace
from dialer.workspaces.roles import Role
from webhooks import endpoints
from webhooks.models import Endpoint

CONTACTS: Final = Path(__file__).with_name("contacts.csv")
"""Numbers reserved for fiction, where a country has them; the last digits select the simulated carrier's script."""
USER: Final = "admin"
INBOX_PATH: Final = "/demo/inbox/demo/"
ROUND_THE_CLOCK, OFFICE_HOURS, ASKED = "round the clock", "office hours", "asked"
"""Values of the file's column ``list``: the contact's campaign, or that the contact requested a callback."""
ASKED_IN_SECONDS: Final = (30, 38, 46, 54, 60)
"""The first is late enough for the processes of a slow machine to have started."""
CALLER_ID: Final = "+442079460999"


class PasswordOrKeyMissing(Exception):
    """``DEMO_PASSWORD`` or ``DEMO_API_KEY`` is missing."""


def start(*, now: datetime) -> Demo:
    """Create the demo if there is none, record its start, and set its password and key to those of the settings.

    Everything happens in one transaction, so an interrupted start leaves nothing behind.
    """
    if not (settings.DEMO_PASSWORD and settings.DEMO_API_KEY):
        raise PasswordOrKeyMissing(PasswordOrKeyMissing.__doc__)
    with transaction.atomic():
        demo = Demo.objects.select_for_update().first()
        if demo is None:
            demo = Demo(workspace=_make(now=now))
        demo.started_at = now
        demo.save()
        _let_in(demo.workspace, now=now)
        _lead_to_inbox(demo.workspace, now=now)
    return demo


def _make(*, now: datetime) -> Workspace:
    workspace = workspace_settings.open_workspace(name="Demo", time_zone="Europe/London", actor=SYSTEM, now=now)
    persona = personas.create_persona(
        workspace.id, name="Sara", endpoint="wss://agent.example.com/sara", actor=SYSTEM, now=now
    )
    lines.create_line(
        workspace.id,
        name="Simulated",
        carrier="simulated",
        caller_ids=[CALLER_ID],
        ring_timeout_seconds=20,
        calls_per_second=None,  # the simulated carrier accepts any number of calls
        is_default=True,
        actor=SYSTEM,
        now=now,
    )
    endpoints.create(
        workspace.id, name="Inbox", url=settings.PUBLIC_URL + INBOX_PATH, events=["*"], actor=SYSTEM, now=now
    )
    _import(workspace, now=now)
    around = _campaign(
        workspace,
        persona,
        "Around the clock",
        schedule={
            "calling_hours": {"start": "00:00", "end": "24:00"},
            "callback_retry_schedule": [1, 2, 5],
        },
        # Callbacks of calls that end in the same second are due in the same second, and share this pace.
        calls_per_second=8,
        contacts=_listed(workspace, ROUND_THE_CLOCK),
        now=now,
    )
    default = _campaign(
        workspace,
        persona,
        "Default hours",
        schedule={},
        calls_per_second=1,
        contacts=_listed(workspace, OFFICE_HOURS),
        now=now,
    )
    for contact, seconds in zip(_listed(workspace, ASKED), ASKED_IN_SECONDS, strict=True):
        _ask(contact, around, at=now + timedelta(seconds=seconds), now=now)
    # A contact whose local time is night: the callback waits for the morning and shows why.
    asleep = next((c for c in _listed(workspace, OFFICE_HOURS) if not 9 <= _hour(c, now=now) < 20), None)  # noqa: PLR2004
    if asleep is not None:
        _ask(asleep, default, at=now + timedelta(seconds=90), now=now)
    return workspace


def _import(workspace: Workspace, *, now: datetime) -> None:
    source = imports.receive(workspace.id, [CONTACTS.read_bytes()], file_name=CONTACTS.name, actor=SYSTEM, now=now)
    while imports.read_batch(source.id, now=now):
        pass


def _listed(workspace: Workspace, name: str) -> Sequence[Contact]:
    return list(Contact.objects.in_workspace(workspace.id).filter(metadata__list=name).order_by("external_id"))


def _campaign(
    workspace: Workspace,
    persona: Persona,
    name: str,
    *,
    schedule: dict[str, object],
    calls_per_second: float,
    contacts: Sequence[Contact],
    now: datetime,
) -> Campaign:
    campaign = lifecycle.create(
        workspace.id,
        name=name,
        persona_id=persona.id,
        schedule=schedule,
        calls_per_second=calls_per_second,
        actor=SYSTEM,
        now=now,
    ).campaign
    membership.put_in(campaign.id, [contact.id for contact in contacts], workspace_id=workspace.id, now=now)
    return lifecycle.start(campaign.id, workspace_id=workspace.id, actor=SYSTEM, now=now)


def _ask(contact: Contact, campaign: Campaign, *, at: datetime, now: datetime) -> None:
    scheduling.request(
        workspace_id=contact.workspace_id,
        contact_id=contact.id,
        campaign_id=campaign.id,
        type=CallbackType.CUSTOMER_REQUESTED,
        scheduled_at=at,
        notes="Asked on the website to be called.",
        actor=SYSTEM,
        now=now,
    )


def _hour(contact: Contact, *, now: datetime) -> int:
    return now.astimezone(ZoneInfo(contact.zones[0])).hour


def _let_in(workspace: Workspace, *, now: datetime) -> None:
    """Set the user's password and the API key to those of the settings, which ``make login`` prints."""
    user, _ = User.objects.get_or_create(username=USER, defaults={"is_staff": True, "is_superuser": True})
    if not user.check_password(settings.DEMO_PASSWORD):
        user.set_password(settings.DEMO_PASSWORD)
        user.save(update_fields=["password"])
    Member.objects.get_or_create(workspace=workspace, user=user, defaults={"role": Role.OWNER.value})
    if api_keys.authenticate(settings.DEMO_API_KEY, now=now) is None:
        api_keys.issue(
            workspace_id=workspace.id,
            name="Demo",
            scope="admin",
            plain=settings.DEMO_API_KEY,
            actor=SYSTEM,
            now=now,
        )


def _lead_to_inbox(workspace: Workspace, *, now: datetime) -> None:
    """Point the endpoint at the inbox's port of this run."""
    url = settings.PUBLIC_URL + INBOX_PATH
    stale: Sequence[UUID] = list(
        Endpoint.objects.in_workspace(workspace.id)
        .kept()
        .filter(url__endswith=INBOX_PATH)
        .exclude(url=url)
        .values_list("id", flat=True)
    )
    for endpoint_id in stale:
        endpoints.edit(endpoint_id, workspace_id=workspace.id, url=url, actor=SYSTEM, now=now)
