"""Payloads for the three status URLs of a campaign, as their contract defines them.

Ids are public ids, numbers are E.164, ``from`` is the caller id as configured, times are in
the campaign's time zone.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from dialer.rules.statuses import ENVELOPE_STATUS, CampaignStatus, Outcome
from dialer.workspaces.instants import written_in_zone


class StatusUrl(StrEnum):
    """The fields of a campaign that name the URLs."""

    CALL = "call_status_callback"
    """Told after every attempt."""
    NUMBER = "call_schedule_callback"
    """Told once per number, when its chain is over."""
    CAMPAIGN = "status_callback"
    """Told once, when the campaign has ended."""


HEARS = {
    StatusUrl.CALL: "call.attempted",
    StatusUrl.NUMBER: "call.exhausted",
    StatusUrl.CAMPAIGN: "campaign.ended",
}
"""The event that triggers each URL."""

_STATUS = {"completed": "completed", "busy": "busy", "no_answer": "no-answer", "voicemail": "no-answer"}
_CAMPAIGN_STATUS = {
    CampaignStatus.COMPLETED.value: "Completed",
    CampaignStatus.FAILED.value: "Failed",
    CampaignStatus.CANCELLED.value: "Canceled",
}


def call_status(outcome: str) -> str:
    """Return the contract's word for an outcome: ``completed``, ``failed``, ``busy`` or ``no-answer``."""
    return _STATUS.get(ENVELOPE_STATUS[Outcome(outcome)], "failed")


def attempt(
    *, campaign: str, call: str, number: str, outcome: str, began_at: datetime, ended_at: datetime, zone: str
) -> dict[str, object]:
    """Return the payload of one attempt; the ids are public ids."""
    return {
        "campaign_sid": campaign,
        "call_sid": call,
        "date_created": written_in_zone(began_at, zone),
        "date_updated": written_in_zone(ended_at, zone),
        "number": number,
        "status": call_status(outcome),
    }


def number_done(
    *,
    campaign: str,
    to: str,
    from_: str,
    calls: Sequence[str],
    outcome: str,
    began_at: datetime,
    ended_at: datetime,
    zone: str,
) -> dict[str, object]:
    """Return the payload of a number whose chain is over: all its calls in order, and the deciding outcome."""
    return {
        "campaign_sid": campaign,
        "to": to,
        "from": from_,
        "call_sids": list(calls),
        "status": call_status(outcome),
        "date_created": written_in_zone(began_at, zone),
        "date_updated": written_in_zone(ended_at, zone),
    }


def campaign_done(
    *, campaign: str, status: str, created_at: datetime, ended_at: datetime, report_url: str, zone: str
) -> dict[str, object]:
    """Return the payload for the end of a campaign, with the address of its report."""
    return {
        "campaign_sid": campaign,
        "status": _CAMPAIGN_STATUS[status],
        "date_created": written_in_zone(created_at, zone),
        "date_updated": written_in_zone(ended_at, zone),
        "report_url": report_url,
    }
