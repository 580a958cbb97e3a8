"""The dialer's models: contacts, campaigns, calls, messages, and what they are set up with."""

from dialer.models.calls import Call, CarrierEvent
from dialer.models.campaigns import Campaign, CampaignContact, Pace
from dialer.models.contacts import Contact, Erasure, Import, ImportPart, ImportProblem, Suppression
from dialer.models.messages import Message
from dialer.models.resources import CallerId, Line, Persona, RetryPolicy

__all__ = [
    "Call",
    "CallerId",
    "Campaign",
    "CampaignContact",
    "CarrierEvent",
    "Contact",
    "Erasure",
    "Import",
    "ImportPart",
    "ImportProblem",
    "Line",
    "Message",
    "Pace",
    "Persona",
    "RetryPolicy",
    "Suppression",
]
