"""States and outcomes; the comments say what moves each on."""

from collections.abc import Mapping
from enum import IntEnum, StrEnum


class CallStatus(StrEnum):
    QUEUED = "queued"  # a row waits for its time; the dispatcher claims it, placing hands it over
    DIALING = "dialing"  # handed to the carrier; its reports move it on
    RINGING = "ringing"  # the carrier says the phone rings
    IN_PROGRESS = "in_progress"  # someone, or a machine, answered
    ENDED = "ended"  # final; the outcome says how
    WITHDRAWN = "withdrawn"  # final unless requeued; its reason was gone before it was handed over


CALL_MOVES: Mapping[CallStatus, frozenset[CallStatus]] = {
    # A report may arrive for a call that was just put back.
    CallStatus.QUEUED: frozenset(CallStatus) - {CallStatus.QUEUED},
    CallStatus.DIALING: frozenset(CallStatus) - {CallStatus.DIALING},
    CallStatus.RINGING: frozenset({CallStatus.IN_PROGRESS, CallStatus.ENDED}),
    CallStatus.IN_PROGRESS: frozenset({CallStatus.ENDED}),
    CallStatus.ENDED: frozenset(),
    CallStatus.WITHDRAWN: frozenset({CallStatus.QUEUED}),
}
"""The statuses that a call may move to, by its present status."""

LIVE = (CallStatus.DIALING, CallStatus.RINGING, CallStatus.IN_PROGRESS)
"""Handed over and not ended: the number is taken."""

ORDER = {status: position for position, status in enumerate(CallStatus)}
"""The order of statuses: a carrier's report moves a call to a later one or changes nothing."""


class Direction(StrEnum):
    OUTBOUND = "outbound"
    INBOUND = "inbound"


class Outcome(StrEnum):
    ANSWERED = "answered"  # a conversation took place
    VOICEMAIL = "voicemail"  # a machine answered
    NO_ANSWER = "no_answer"  # rang, nobody answered
    BUSY = "busy"  # line busy
    NETWORK_ERROR = "network_error"  # carrier or network fault, nobody was reached
    INVALID_NUMBER = "invalid_number"  # cannot be dialled
    DECLINED = "declined"  # the callee refused
    DNC_REQUEST = "dnc_request"  # asked not to be called; suppresses the number
    UNKNOWN = "unknown"  # handed over, but its fate could not be found out; a person decides
    CANCELLED = "cancelled"  # stopped before it connected


ENVELOPE_STATUS = {
    Outcome.ANSWERED: "completed",
    Outcome.VOICEMAIL: "voicemail",
    Outcome.NO_ANSWER: "no_answer",
    Outcome.BUSY: "busy",
    Outcome.NETWORK_ERROR: "failed",
    Outcome.INVALID_NUMBER: "failed",
    Outcome.DECLINED: "failed",
    Outcome.DNC_REQUEST: "completed",
    Outcome.UNKNOWN: "failed",
    Outcome.CANCELLED: "failed",
}


BEST_FIRST = (
    Outcome.ANSWERED,
    Outcome.DNC_REQUEST,
    Outcome.VOICEMAIL,
    Outcome.NO_ANSWER,
    Outcome.BUSY,
    Outcome.DECLINED,
    Outcome.NETWORK_ERROR,
    Outcome.UNKNOWN,
    Outcome.INVALID_NUMBER,
    Outcome.CANCELLED,
)
"""Outcomes by how close they came to a talk: the best outcome of its calls is a contact's result."""


class Rank(IntEnum):
    """Order in which due calls are taken, lower first."""

    CALL_NOW = 0  # an operator pressed the button
    PROMISED = 1  # a requested or manual callback
    RETRY = 2  # an automatic callback
    NEW = 3  # a first call


class CampaignStatus(StrEnum):
    DRAFT = "draft"  # collects contacts; start moves it on
    SCHEDULED = "scheduled"  # was started, and its start_at is still to come; the sweep moves it on then, or a cancel
    RUNNING = "running"  # its contacts are called; pause, cancel, or the last contact's end move it on
    PAUSED = "paused"  # nothing is handed over; resume or cancel move it on
    COMPLETED = "completed"  # final
    CANCELLED = "cancelled"  # final
    FAILED = "failed"  # final: its line or persona cannot be used


CAMPAIGN_OVER = (CampaignStatus.COMPLETED, CampaignStatus.CANCELLED, CampaignStatus.FAILED)
"""Nothing is scheduled any more in a campaign with one of these statuses."""
CAMPAIGN_MOVES: Mapping[CampaignStatus, frozenset[CampaignStatus]] = {
    CampaignStatus.DRAFT: frozenset({CampaignStatus.SCHEDULED, CampaignStatus.CANCELLED}),
    CampaignStatus.SCHEDULED: frozenset({CampaignStatus.RUNNING, CampaignStatus.CANCELLED}),
    CampaignStatus.RUNNING: frozenset({CampaignStatus.PAUSED, *CAMPAIGN_OVER}),
    CampaignStatus.PAUSED: frozenset({CampaignStatus.RUNNING, *CAMPAIGN_OVER}),
    **dict.fromkeys(CAMPAIGN_OVER, frozenset()),
}
"""The statuses that a campaign may move to, by its present status; a start that is due passes ``scheduled`` at once."""


class ContactState(StrEnum):
    WAITING = "waiting"  # first call still to come; the dispatcher moves it on
    CALLING = "calling"  # a first call is queued or live; its end moves it on
    CALLBACK_PENDING = "callback_pending"  # a callback is promised; its call's end moves it on
    REACHED = "reached"  # ended: answered
    EXHAUSTED = "exhausted"  # ended: no more attempts; end_reason says why
    INVALID = "invalid"  # ended: the number cannot be dialled
    SUPPRESSED = "suppressed"  # ended: do not call
    CANCELLED = "cancelled"  # ended: stopped by a person or with its campaign


OPEN_STATES = (ContactState.WAITING, ContactState.CALLING, ContactState.CALLBACK_PENDING)
_FINAL_STATES = frozenset(ContactState) - frozenset(OPEN_STATES)
CONTACT_MOVES: Mapping[ContactState, frozenset[ContactState]] = {
    ContactState.WAITING: _FINAL_STATES | {ContactState.CALLING, ContactState.CALLBACK_PENDING},
    ContactState.CALLING: _FINAL_STATES | {ContactState.CALLBACK_PENDING},
    ContactState.CALLBACK_PENDING: _FINAL_STATES | {ContactState.CALLING},
    # Another promise makes the contact pending again; a person may correct any end to ``reached``.
    **{state: frozenset({ContactState.CALLBACK_PENDING, ContactState.REACHED}) - {state} for state in _FINAL_STATES},
}
"""The states that a campaign contact may move to, by its present state."""


class MessageStatus(StrEnum):
    QUEUED = "queued"  # a row waits; a worker claims it
    SENDING = "sending"  # the carrier is being asked, once; its answer moves it on, or the sweep to unknown
    SENT = "sent"  # the carrier has it; its report moves it on
    DELIVERED = "delivered"  # final
    FAILED = "failed"  # final: refused, not to be sent, or the carrier gave up
    UNKNOWN = "unknown"  # the carrier may have it; never sent again, a report moves it on
    RECEIVED = "received"  # final: somebody wrote to us


class ImportStatus(StrEnum):
    UPLOADING = "uploading"  # parts arrive; the upload's end moves it on
    WAITING = "waiting"  # a worker takes it
    RUNNING = "running"  # a worker reads it; a killed worker's place is taken by the next
    DONE = "done"  # final
    FAILED = "failed"  # final: the file cannot be read; failure says why
