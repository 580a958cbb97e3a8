"""The report of a campaign: a CSV with a row per contact and all its attempts, and a signed address.

The address is the permission: anyone who has it may read this report, and nothing else, until it expires or is revoked.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.utils.crypto import constant_time_compare, salted_hmac

from dialer.campaigns.stats import bucket
from dialer.models import Campaign
from dialer.rules import spreadsheet
from dialer.workspaces.audit import Actor, Change, record
from dialer.workspaces.ids import public_id
from dialer.workspaces.statements import fetch

KEPT: Final = timedelta(days=30)
"""How long an address is valid: as long as the delivery that contains it can be replayed."""
PAGE: Final = 2_000
"""Contacts read at a time: memory stays the same however long the report is."""
OF_CONTACT: Final = ("contact_id", "external_id", "name", "phone", "status", "end_reason", "ended_at", "attempts")
OF_ATTEMPT: Final = ("call_id", "started_at", "outcome", "ended_reason", "duration_seconds")

_SALT: Final = "dialer.reports"
_FIRST: Final = UUID(int=0)
_ATTEMPT: Final = "direction = 'outbound' AND dialing_at <= %(now)s"


def report_url(campaign_id: UUID, *, now: datetime) -> str:
    """Return the address of the report; it needs no other permission and is valid for 30 days."""
    name, expires = public_id(Campaign.public_prefix, campaign_id), str(int((now + KEPT).timestamp()))
    query = urlencode({"expires": expires, "signature": _signature(name, expires, settings.SECRET_KEY)})
    return f"{settings.PUBLIC_URL}/reports/{name}/campaign_report.csv?{query}"


def revoke_addresses(
    campaign_id: UUID, *, workspace_id: UUID, actor: Actor, reason: str = "", now: datetime
) -> Campaign:
    """End the addresses of the report that were given out so far; those given out later work."""
    with transaction.atomic():
        mine = Campaign.objects.in_workspace(workspace_id)
        campaign: Campaign = mine.select_for_update(no_key=True).get(pk=campaign_id)
        campaign.reports_revoked_at = now
        campaign.save(update_fields=["reports_revoked_at"])
        record(actor, [Change.of(campaign, "campaign", "revoke_report_addresses", reason=reason)], now=now)
    return campaign


def is_revoked(campaign: Campaign, *, expires: str) -> bool:
    """Tell whether an address with this expiry was given out before the addresses of the campaign were revoked."""
    revoked_at = campaign.reports_revoked_at
    return revoked_at is not None and datetime.fromtimestamp(int(expires), UTC) - KEPT <= revoked_at


def is_permitted(name: str, *, expires: str, signature: str, now: datetime) -> bool:
    """Tell whether :func:`report_url` made the address and it is still valid."""
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    fits = [constant_time_compare(signature, _signature(name, expires, key)) for key in keys]
    return any(fits) and datetime.fromtimestamp(int(expires), UTC) > now


def download(campaign: Campaign, *, actor: Actor, now: datetime) -> Iterator[str]:
    """Return the :func:`lines` of the report for somebody; leaves an audit entry."""
    record(actor, [Change.of(campaign, "campaign", "download_report")], now=now)
    return lines(campaign, now=now)


def lines(campaign: Campaign, *, now: datetime) -> Iterator[str]:
    """Yield the report line by line, with the attempts begun by ``now``; runs one query per page of contacts.

    All lines have as many cells as the first. Times are in the campaign's time zone.
    """
    zone = ZoneInfo(campaign.time_zone or campaign.workspace.time_zone)
    # Counted before the first line goes out. An attempt that is committed later, though begun by then, is left out.
    most = _most_attempts(campaign.pk, now=now)
    header = [*OF_CONTACT, *(f"attempt_{n}_{name}" for n in range(1, most + 1) for name in OF_ATTEMPT)]
    yield spreadsheet.line(header)
    after = _FIRST
    while contacts := _contacts(campaign.pk, after=after):
        attempts = _attempts([row.id for row in contacts], now=now)
        for row in contacts:
            cells = _cells(row, attempts.get(row.id, ())[:most], zone)
            yield spreadsheet.line(cells + [None] * (len(header) - len(cells)))
        after = contacts[-1].contact_id


def _signature(name: str, expires: str, key: str) -> str:
    return salted_hmac(_SALT, f"{name}:{expires}", secret=key, algorithm=hashlib.sha256().name).hexdigest()


class _Columns(NamedTuple):
    most: int


def _most_attempts(campaign_id: UUID, *, now: datetime) -> int:
    rows = fetch(
        _Columns,
        "report_columns",
        f"""
        SELECT coalesce(max(attempts), 0)::int AS most FROM (
            SELECT count(*) AS attempts FROM dialer_call WHERE campaign_id = %(campaign)s AND {_ATTEMPT}
            GROUP BY chain_id
        ) AS chains
        """,  # noqa: S608 — a constant
        {"campaign": campaign_id, "now": now},
    )
    return rows[0].most


class _Contact(NamedTuple):
    id: UUID
    contact_id: UUID
    state: str
    result: str
    end_reason: str
    ended_at: datetime | None
    external_id: str | None
    name: str
    phone: str


def _contacts(campaign_id: UUID, *, after: UUID) -> list[_Contact]:
    return fetch(
        _Contact,
        "report_contacts",
        """
        SELECT k.id, k.contact_id, k.state, k.result, k.end_reason, k.ended_at, p.external_id, p.name, p.phone
        FROM dialer_campaigncontact k JOIN dialer_contact p ON p.id = k.contact_id
        WHERE k.campaign_id = %(campaign)s AND k.contact_id > %(after)s ORDER BY k.contact_id LIMIT %(limit)s
        """,
        {"campaign": campaign_id, "after": after, "limit": PAGE},
    )


class _Attempt(NamedTuple):
    chain_id: UUID
    id: UUID
    dialing_at: datetime
    outcome: str
    ended_reason: str
    duration_seconds: int | None


def _attempts(chain_ids: Sequence[UUID], *, now: datetime) -> Mapping[UUID, Sequence[_Attempt]]:
    found: dict[UUID, list[_Attempt]] = defaultdict(list)
    for row in fetch(
        _Attempt,
        "report_attempts",
        f"""
        SELECT chain_id, id, dialing_at, outcome, ended_reason, duration_seconds FROM dialer_call
        WHERE chain_id = ANY(%(chains)s) AND {_ATTEMPT} ORDER BY chain_id, attempt_number, id
        """,  # noqa: S608 — a constant
        {"chains": list(chain_ids), "now": now},
    ):
        found[row.chain_id].append(row)
    return found


def _cells(contact: _Contact, attempts: Sequence[_Attempt], zone: ZoneInfo) -> list[object]:
    cells: list[object] = [
        public_id("ct", contact.contact_id),
        contact.external_id,
        contact.name,
        contact.phone,
        bucket(contact.state, contact.result),
        contact.end_reason,
        _local(contact.ended_at, zone),
        len(attempts),
    ]
    for call in attempts:
        cells += [
            public_id("call", call.id),
            _local(call.dialing_at, zone),
            call.outcome,
            call.ended_reason,
            call.duration_seconds,
        ]
    return cells


def _local(at: datetime | None, zone: ZoneInfo) -> str | None:
    return at.astimezone(zone).isoformat(timespec="seconds") if at else None
