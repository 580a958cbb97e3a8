"""Maps exceptions of webhooks to problems of the API."""

from dialer.workspaces.api.errors import Problem, answers, conflict, conflicts, invalid
from webhooks.batches import NotABatch
from webhooks.endpoint_settings import InvalidEndpoint
from webhooks.endpoints import EndpointInactive, NoSample, NothingToPromote, NothingToSign
from webhooks.feed import NoSuchEvent
from webhooks.replay import NoSuchTime


@answers(InvalidEndpoint)
def _invalid(error: InvalidEndpoint) -> Problem:
    return invalid(error.errors)


@answers(EndpointInactive, conflicts_with=["endpoint_inactive"])
def _inactive(error: EndpointInactive) -> Problem:
    text = str(error)
    return conflict("endpoint_inactive", f"{text[:1].upper()}{text[1:]}; nothing is sent to it.")


@answers(NoSample)
def _no_sample(refused: NoSample) -> Problem:
    return invalid({"event": [str(refused)]})


@answers(NoSuchEvent)
def _no_such_event(_: NoSuchEvent) -> Problem:
    return invalid({"after": ["is not the id of an event; leave it out and give since instead"]})


@answers(NoSuchTime)
def _no_such_time(_: NoSuchTime) -> Problem:
    return invalid({"since": ["must be before until, and before now"]})


conflicts(
    {
        NothingToSign: ("nothing_to_sign", "The signing method of the endpoint is none, so it has no secret."),
        NothingToPromote: ("nothing_to_promote", "No rotated secret waits to be promoted; rotate first."),
        NotABatch: ("not_a_batch", "The delivery holds a single event, so it has no items; redeliver it."),
    }
)
