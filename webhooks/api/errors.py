"""What the exceptions of webhooks mean to a client."""

from dialer.workspaces.api.errors import Problem, answers, conflict, conflicts, invalid
from webhooks.batches import NotABatch
from webhooks.endpoint_settings import InvalidEndpoint
from webhooks.endpoints import EndpointInactive, NoSample, NothingToPromote, NothingToSign
from webhooks.feed import NoSuchEvent
from webhooks.replay import NoSuchTime


@answers(InvalidEndpoint)
def _invalid(error: InvalidEndpoint) -> Problem:
    return invalid(error.errors)


@answers(EndpointInactive)
def _inactive(error: EndpointInactive) -> Problem:
    text = str(error)
    return conflict("endpoint_inactive", f"{text[:1].upper()}{text[1:]}; nothing is sent to it.")


@answers(NoSample)
def _no_sample(_: NoSample) -> Problem:
    return invalid({"event": ["is sent in no array, and the endpoint wants arrays"]})


@answers(NoSuchEvent)
def _no_such_event(_: NoSuchEvent) -> Problem:
    return invalid({"after": ["is not the id of an event; leave it out and say since when instead"]})


@answers(NoSuchTime)
def _no_such_time(_: NoSuchTime) -> Problem:
    return invalid({"since": ["must be before until, and before now"]})


conflicts(
    {
        NothingToSign: ("nothing_to_sign", "The signing method of the endpoint is none, so it has no secret."),
        NothingToPromote: ("nothing_to_promote", "There is no rotated secret that waits to take over; rotate first."),
        NotABatch: ("not_a_batch", "The delivery is of one event, so it has no items; redeliver it."),
    }
)
