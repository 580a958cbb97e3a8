"""Rows for tests: plain functions that save one valid row, every field open to be named by the test.

What a test does not name is chosen so that the row is valid and, where uniqueness asks for it, new.
"""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from dialer.models import Call, Campaign, CampaignContact, Contact, Line, Message, Persona, RetryPolicy, Suppression
from dialer.rules.statuses import LIVE, CallStatus
from dialer.rules.time_zones import zones_for
from dialer.setup import caller_ids
from dialer.workspaces.ids import new_id
from dialer.workspaces.models import Workspace

NOW = datetime(2025, 3, 12, 10, 0, tzinfo=UTC)
"""A Wednesday, 11:00 in Berlin: the default window is open there."""

BERLIN = "Europe/Berlin"
ROUND_THE_CLOCK = {"calling_hours": {"start": "00:00", "end": "24:00"}}

_numbers = count(1)


def a_phone() -> str:
    """Return a German number that no other row of this run has."""
    return f"+4930{next(_numbers):08d}"


def make_workspace(**fields: Any) -> Workspace:
    fields.setdefault("name", "Acme")
    fields.setdefault("time_zone", BERLIN)
    return Workspace.objects.create(**fields)


def make_persona(workspace: Workspace | None = None, **fields: Any) -> Persona:
    fields.setdefault("name", f"Sara {next(_numbers)}")
    persona: Persona = Persona.objects.create(workspace=workspace or make_workspace(), **fields)
    return persona


def make_line(workspace: Workspace | None = None, **fields: Any) -> Line:
    """Make a line that has its numbers; those of the first workspace show ``+493012345678``, others a new number."""
    workspace = workspace or make_workspace()
    fields.setdefault("name", f"Line {next(_numbers)}")
    if "caller_ids" not in fields:
        is_taken = caller_ids.belongs_to_another("+493012345678", workspace.pk)
        fields["caller_ids"] = [a_phone() if is_taken else "+493012345678"]
    line: Line = Line.objects.create(workspace=workspace, **fields)
    caller_ids.keep(line, added=line.caller_ids)
    return line


def make_policy(workspace: Workspace | None = None, **fields: Any) -> RetryPolicy:
    fields.setdefault("name", f"Policy {next(_numbers)}")
    fields.setdefault("rules", {"no_answer": {"delays": [60], "limit": 3}, "busy": {"delays": [10], "limit": 2}})
    policy: RetryPolicy = RetryPolicy.objects.create(workspace=workspace or make_workspace(), **fields)
    return policy


def make_contact(workspace: Workspace | None = None, **fields: Any) -> Contact:
    """Make a contact whose zones are derived as the product derives them (Berlin where no zone is named)."""
    fields.setdefault("name", "John Doe")
    fields.setdefault("phone", a_phone())
    fields.setdefault("time_zone", BERLIN)
    derived = zones_for(time_zone=fields["time_zone"], phone=fields["phone"])
    fields.setdefault("zones", list(derived.zones))
    fields.setdefault("timezone_source", derived.source)
    contact: Contact = Contact.objects.create(workspace=workspace or make_workspace(), **fields)
    return contact


def make_suppression(workspace: Workspace, phone: str, **fields: Any) -> Suppression:
    suppression: Suppression = Suppression.objects.create(workspace=workspace, phone=phone, **fields)
    return suppression


def make_campaign(workspace: Workspace | None = None, **fields: Any) -> Campaign:
    """Make a running campaign with a persona and a line of its own."""
    workspace = workspace or make_workspace()
    fields.setdefault("name", f"Q1 Outreach {next(_numbers)}")
    fields.setdefault("status", "running")
    if "persona" not in fields:
        fields["persona"] = make_persona(workspace)
    if "line" not in fields:
        fields["line"] = make_line(workspace)
    if fields["status"] != "draft":
        fields.setdefault("started_at", NOW)
    campaign: Campaign = Campaign.objects.create(workspace=workspace, **fields)
    return campaign


def make_campaign_contact(campaign: Campaign, contact: Contact | None = None, **fields: Any) -> CampaignContact:
    """Put a contact into a campaign, waiting and due unless told otherwise."""
    contact = contact or make_contact(campaign.workspace)
    fields.setdefault("state", "waiting")
    if fields["state"] == "waiting":
        fields.setdefault("due_at", NOW)
    member: CampaignContact = CampaignContact.objects.create(
        workspace=campaign.workspace, campaign=campaign, contact=contact, **fields
    )
    return member


def make_call(
    contact: Contact | None = None,
    *,
    campaign: Campaign | None = None,
    campaign_contact: CampaignContact | None = None,
    **fields: Any,
) -> Call:
    """Make a call, queued and due unless ``status`` says otherwise; times that its status demands are filled in.

    Give ``campaign_contact`` for a call of a campaign whose chain is to hang together; a bare ``campaign`` gets one.
    """
    if campaign is not None and campaign_contact is None:
        campaign_contact = make_campaign_contact(campaign, contact, state="calling")
    if campaign_contact is not None:
        campaign, contact = campaign_contact.campaign, campaign_contact.contact
    contact = contact or make_contact()
    workspace = contact.workspace
    fields.setdefault("id", new_id())
    fields.setdefault("number", contact.phone)
    fields.setdefault("status", "queued")
    fields.setdefault("due_at", NOW)
    fields.setdefault("chain_id", campaign_contact.id if campaign_contact else fields["id"])
    if "persona" not in fields:
        fields["persona"] = campaign.persona if campaign else make_persona(workspace)
    if "line" not in fields:
        fields["line"] = campaign.line if campaign else make_line(workspace)
    status = CallStatus(fields["status"])
    if status in LIVE or (status == CallStatus.ENDED and fields.get("outcome") != "cancelled"):
        fields.setdefault("dialing_at", NOW)
    if status == CallStatus.ENDED:
        fields.setdefault("outcome", "no_answer")
        fields.setdefault("ended_at", NOW + timedelta(seconds=30))
    call: Call = Call.objects.create(
        workspace=workspace, contact=contact, campaign=campaign, campaign_contact=campaign_contact, **fields
    )
    return call


def make_message(contact: Contact | None = None, **fields: Any) -> Message:
    """Make a message that was sent; ``status`` ``received`` makes one that came in."""
    contact = contact or make_contact()
    fields.setdefault("status", "sent")
    fields.setdefault("direction", "inbound" if fields["status"] == "received" else "outbound")
    fields.setdefault("number", contact.phone)
    fields.setdefault("caller_id", "+493012345678")
    fields.setdefault("body", "We will call at five.")
    fields.setdefault("carrier_message_id", f"sms-{next(_numbers)}")
    if fields["status"] == "queued":
        fields.setdefault("due_at", NOW)
    else:
        fields.setdefault("handed_at", NOW)
    if "line" not in fields:
        fields["line"] = make_line(contact.workspace)
    message: Message = Message.objects.create(workspace=contact.workspace, contact=contact, **fields)
    return message
