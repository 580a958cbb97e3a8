"""What the persona reports about a call: the contact's wish not to be called, the recording, the analysis."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.db import transaction

from dialer.calls import context, events, formats
from dialer.calls.chains import NOTHING_DIALLED, chains_of
from dialer.calls.context import CallContext
from dialer.contacts import suppressions
from dialer.models import Call, Contact
from dialer.rules.schedule_settings import InvalidSettings
from dialer.rules.statuses import ENVELOPE_STATUS, LIVE, CallStatus, Outcome
from dialer.workspaces.audit import Actor, Change, record
from dialer.workspaces.locks import lock_numbers
from dialer.workspaces.storable import object_error, text_error
from dialer.workspaces.transitions import TransitionConflict
from webhooks import batches
from webhooks.outbox import record_events

LONGEST_TRANSCRIPT = 1_000_000
LONGEST_URL = 2_000
LONGEST_SUMMARY = 10_000
_TALKED = (Outcome.ANSWERED, Outcome.DNC_REQUEST, Outcome.VOICEMAIL)
"""Outcomes of calls in which something was said."""


class InvalidTalk(InvalidSettings):
    """The recording or analysis is invalid; ``errors`` names every field at fault."""


class AlreadyAnalyzed(Exception):
    """The call has an analysis, and the new one does not say that it replaces it."""


def request_dnc(call_id: UUID, *, workspace_id: UUID, actor: Actor, now: datetime) -> Call:
    """Suppress the number because the contact asked for it in this call; a live call then ends ``dnc_request``.

    The outcome of a call that has ended stays. Repeating it changes nothing. Raises ``TransitionConflict`` for a call
    that was never handed over.
    """
    with transaction.atomic():
        call = _handed_over(call_id, workspace_id, to="one in which the contact asked not to be called")
        numbers = sorted({call.contact.phone, call.number} - {""})
        lock_numbers((workspace_id, number) for number in numbers)
        suppressions.add_in_transaction(workspace_id, numbers, reason="dnc_request", source=call.public_id, now=now)
        asked = Call.objects.filter(pk=call_id, status__in=LIVE, dnc_requested_at=None).update(dnc_requested_at=now)
        record(actor, [_change(call, "request_dnc", {"ends_as": "dnc_request" if asked else call.outcome})], now=now)
    return _read(call_id)


def add_recording(
    call_id: UUID,
    *,
    workspace_id: UUID,
    transcript: str | None = None,
    recording_url: str | None = None,
    actor: Actor,
    now: datetime,
) -> Call:
    """Keep the transcript or the address of the recording; each replaces an earlier one.

    If it comes before the call's end, ``call.ended`` includes it. Raises :class:`InvalidTalk`, ``TransitionConflict``.
    """
    given = {"transcript": transcript, "recording_url": recording_url}
    changes = {name: value for name, value in given.items() if value is not None}
    errors = {
        name: [reason]
        for name, read in (("transcript", _transcript_error), ("recording_url", _url_error))
        if name in changes and (reason := read(changes[name]))
    }
    if not changes:
        errors["transcript"] = ["give transcript or recording_url"]
    if errors:
        raise InvalidTalk(errors)
    with transaction.atomic():
        call = _handed_over(call_id, workspace_id, to="recorded")
        Call.objects.filter(pk=call_id).update(**changes)
        record(actor, [_change(call, "add_recording", {"changed": sorted(changes)})], now=now)
    return _read(call_id)


def add_analysis(
    call_id: UUID,
    analysis: Mapping[str, Any],
    *,
    workspace_id: UUID,
    replace: bool = False,
    actor: Actor,
    now: datetime,
) -> Call:
    """Keep the analysis, set the contact's status to ``outcome_id``, and record ``call.analyzed``.

    Only for a call that has ended and in which something was said, so that ``call.ended`` comes first. Raises
    :class:`InvalidTalk`, ``TransitionConflict``, and :class:`AlreadyAnalyzed` without ``replace``.
    """
    _check_analysis(analysis)
    with transaction.atomic():
        rows = context.locked_contexts_of([Call.objects.in_workspace(workspace_id).get(pk=call_id).pk])
        call = _read(call_id)
        if call.status != CallStatus.ENDED or call.outcome not in _TALKED:
            raise TransitionConflict(what="the call", from_=call.outcome or call.status, to="analyzed")
        replaced = call.analysis is not None
        if replaced and not replace:
            raise AlreadyAnalyzed
        Call.objects.filter(pk=call_id).update(analysis=dict(analysis))
        if analysis.get("outcome_id") is not None:
            Contact.objects.filter(pk=call.contact_id).update(status=analysis["outcome_id"])
        status = ENVELOPE_STATUS[Outcome(call.outcome)]
        record_events(
            [events.call_analyzed(rows[0], analysis=analysis, status=status, at=now, replaced=replaced)], now=now
        )
        _release_result(rows[0], analysis, now=now)
        record(
            actor, [_change(call, "analyze", {"outcome_id": analysis.get("outcome_id"), "replaced": replaced})], now=now
        )
    return _read(call_id)


def _handed_over(call_id: UUID, workspace_id: UUID, *, to: str) -> Call:
    call: Call = Call.objects.in_workspace(workspace_id).select_related("contact").get(pk=call_id)
    if call.dialing_at is None:
        raise TransitionConflict(what="the call", from_=call.outcome or call.status, to=to)
    return call


def _read(call_id: UUID) -> Call:
    found: Call = Call.objects.select_related("contact").get(pk=call_id)
    return found


def _check_analysis(analysis: Mapping[str, Any]) -> None:
    errors = {}
    if reason := object_error(analysis):
        errors["analysis"] = [reason]
    for name, longest in (("summary", LONGEST_SUMMARY), ("outcome_id", 64)):
        value = analysis.get(name)
        if value is not None and (reason := text_error(value, longest=longest)):
            errors[name] = [reason]
    if errors:
        raise InvalidTalk(errors)


def note_reading(call: Call, *, actor: Actor, now: datetime) -> None:
    """Leave an audit entry that somebody reads the transcript, if there is one."""
    if call.transcript is not None:
        record(actor, [Change.of(call, "transcript", "read")], now=now)


def _transcript_error(text: str) -> str | None:
    return text_error(text, longest=LONGEST_TRANSCRIPT)


def _url_error(text: str) -> str | None:
    if reason := text_error(text, longest=LONGEST_URL):
        return reason
    try:
        parts = urlsplit(text)
    except ValueError:
        return "is not a URL"
    return None if parts.scheme in ("http", "https") and parts.hostname else "must be an http or https URL"


def _change(call: Call, verb: str, to_state: Mapping[str, Any]) -> Change:
    return Change.of(call, "call", verb, to_state=to_state)


def _release_result(call: CallContext, analysis: Mapping[str, Any], *, now: datetime) -> None:
    """Release the result of a chain that waited for this analysis; runs in the caller's transaction.

    Does nothing if the chain is not over, or has sent its result already.
    """
    decided = chains_of([call.chain_id]).get(call.chain_id, NOTHING_DIALLED).deciding
    if decided is None or decided.id != call.id:
        return
    told_by = f"call.ended:{call.id}" if call.is_inbound else f"call.exhausted:{call.chain_id}"
    meant = replace(decided, analysis=analysis)
    batches.release(call.workspace_id, told_by, lambda item_id: formats.complete(item_id, call, meant, at=now), now=now)
