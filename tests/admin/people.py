"""Who opens the pages, and the rows they open."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.test import Client

from callbacks.models import Callback
from dialer.models import Campaign
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import Member, Workspace
from tests.factories import BERLIN, ROUND_THE_CLOCK, make_call, make_campaign, make_campaign_contact, make_contact

CONFIRMED = {"_form_submitted": "True"}
"""What the dialog of a button sends."""


def browser_of(workspace: Workspace | None, *, role: str = "manager", is_superuser: bool = False) -> Client:
    """Return a browser in which a member with a role is logged in."""
    user = User.objects.create(username=f"olga-{User.objects.count()}", is_staff=True, is_superuser=is_superuser)
    if workspace is not None:
        Member.objects.create(workspace=workspace, user=user, role=role)
    client = Client()
    client.force_login(user)
    client.cookies["time_zone"] = "America/New_York"
    return client


def said(response: Any) -> str:
    """Return the notices that the answer leaves."""
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def make_callback(
    workspace: Workspace, *, late: timedelta = timedelta(), campaign: Campaign | None = None, **fields: Any
) -> Callback:
    """Make a pending retry that was due ``late`` ago, with the call that it promises and the one it follows."""
    now = database_now()
    campaign = campaign or make_campaign(workspace, schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [60, 120]})
    contact = fields.pop("contact", None) or make_contact(workspace, name=fields.pop("name", "John Doe"))
    member = make_campaign_contact(campaign, contact, state="callback_pending")
    first = make_call(
        campaign_contact=member,
        status="ended",
        outcome="no_answer",
        dialing_at=now - timedelta(hours=30),
        ended_at=now - timedelta(hours=30) + timedelta(seconds=30),
    )
    scheduled_at: datetime = fields.pop("scheduled_at", now - late)
    call = make_call(campaign_contact=member, due_at=scheduled_at, rank=2, attempt_number=2, retries_used=1)
    return Callback.objects.create(
        workspace=workspace,
        **{
            "type": "auto_retry",
            "contact": contact,
            "campaign": campaign,
            "call": call,
            "origin_call": first,
            "original_outcome": "no_answer",
            "number": 1,
            "limit": 3,
            "scheduled_at": scheduled_at,
            "time_zone": BERLIN,
            "timezone_source": "contact",
            "explanation": [{"code": "delay", "text": "The call ended no_answer; the campaign asks for retry 1."}],
            **fields,
        },
    )


def row_of(pk: int) -> Callback:
    return Callback.objects.select_related("call").get(pk=pk)
