"""Rows of the callback queue, at times beside the real clock, which is the one that the API reads."""

from datetime import datetime, timedelta
from typing import Any

from callbacks.models import Callback
from dialer.models import Call, Campaign
from dialer.rules.statuses import Rank
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import Workspace
from tests.factories import ROUND_THE_CLOCK, make_call, make_campaign, make_campaign_contact, make_contact


def soon(**ahead: float) -> datetime:
    """Return a time so far ahead (or, negative, behind) of now, to the second."""
    return database_now().replace(microsecond=0) + timedelta(**ahead)


def open_campaign(workspace: Workspace, **fields: Any) -> Campaign:
    """Make a campaign that may call at any hour, so that no test depends on the time of day it runs at."""
    schedule = {**ROUND_THE_CLOCK, "callback_retry_schedule": [60, 120], **fields.pop("schedule", {})}
    return make_campaign(workspace, schedule=schedule, **fields)


def make_callback(campaign: Campaign, *, at: datetime, kind: str = "auto_retry", **fields: Any) -> Callback:
    """Make a pending callback: a first call that nobody answered, and the queued call that is promised."""
    contact = fields.pop("contact", None) or make_contact(campaign.workspace)
    member = make_campaign_contact(campaign, contact, state="callback_pending")
    first = make_call(campaign_contact=member, status="ended", ended_at=at - timedelta(hours=1))
    is_retry = kind == "auto_retry"
    promised = make_call(
        campaign_contact=member,
        due_at=at,
        attempt_number=2,
        retries_used=1 if is_retry else 0,
        rank=Rank.RETRY.value if is_retry else Rank.PROMISED.value,
    )
    if is_retry:
        fields.setdefault("number", 1)
        fields.setdefault("limit", 2)
    callback: Callback = Callback.objects.create(
        workspace=campaign.workspace,
        contact=contact,
        campaign=campaign,
        call=promised,
        origin_call=first,
        original_outcome=fields.pop("outcome", "no_answer"),
        type=kind,
        scheduled_at=at,
        time_zone=contact.time_zone,
        timezone_source="contact",
        **fields,
    )
    return callback


def live_call(campaign: Campaign) -> Call:
    """Make a call in which the contact is talking."""
    return make_call(campaign_contact=make_campaign_contact(campaign, state="calling"), status="in_progress")
