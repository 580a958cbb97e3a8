"""Routes of calls that need the callback queue: requests made in a call, and corrections by a person."""

from collections.abc import Callable
from functools import partial

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from callbacks import corrections, scheduling
from callbacks.api.serializers import CallbackRequested, CallbackScheduled, CalledBack
from callbacks.api.views import ShowsCallbacks, time_named
from callbacks.rules.statuses import CallbackType
from dialer.api.calls import CallDetail
from dialer.api.shapes import Reason
from dialer.dialing import reconciliation
from dialer.models import Call
from dialer.workspaces.api.idempotency import idempotent
from dialer.workspaces.api.request import ApiRequest
from dialer.workspaces.api.views import ApiView
from dialer.workspaces.models import ApiKey


class RequestCallback(ShowsCallbacks):
    """The route by which a voice agent requests a callback during a call."""

    queryset = Call.objects.all()
    serializer_class = CallbackScheduled

    @extend_schema(
        summary="Promise the callback that the contact asks for",
        request=CallbackRequested,
        responses={201: CallbackScheduled},
    )
    @idempotent
    def post(self, request: ApiRequest, pk: str) -> Response:
        """Promise a callback at an instant or at a time on the contact's own clock; it replaces a pending one."""
        given = self.given(CallbackRequested)
        call: Call = self.get_object()
        with time_named(given):
            done = scheduling.request(
                contact_id=call.contact_id,
                campaign_id=call.campaign_id,
                origin_call_id=call.pk,
                type=CallbackType.CUSTOMER_REQUESTED,
                scheduled_at=given.get("scheduled_at"),
                local_time=given.get("local_time"),
                notes=given["notes"],
                **request.about,
            )
        return self.scheduled(done)


class CallBack(ShowsCallbacks):
    """One of the verbs that settle a call of unknown outcome: call again."""

    queryset = Call.objects.all()
    serializer_class = CallbackScheduled

    @extend_schema(summary="Call back", request=CalledBack, responses={201: CallbackScheduled})
    @idempotent
    def post(self, request: ApiRequest, pk: str) -> Response:
        """Settle a call of outcome `unknown` by promising another one, now or at a time; 409 for any other call."""
        given = self.given(CalledBack)
        with time_named(given):
            done = corrections.call_back(
                self.named_id(),
                scheduled_at=given.get("scheduled_at"),
                local_time=given.get("local_time"),
                notes=given["notes"],
                force=self.force(given),
                reason=given["reason"],
                **request.about,
            )
        return self.scheduled(done)


class _SettlesCalls(ApiView):
    queryset = Call.objects.all()
    serializer_class = CallDetail
    scope_to_write = ApiKey.Scope.CALLS

    def settle(self, verb: Callable[..., Call | None]) -> Response:
        self.do(verb, Reason)
        return self.shown(self.get_object(), CallDetail)


class MarkReached(_SettlesCalls):
    """One of the verbs that settle a call of unknown outcome: the contact was reached."""

    @extend_schema(summary="Mark reached", request=Reason, responses=CallDetail)
    def post(self, request: ApiRequest, pk: str) -> Response:
        """Settle a call of outcome `unknown`: its contact counts as reached, and pending retries are cancelled."""
        return self.settle(corrections.mark_reached)


class MarkHandled(_SettlesCalls):
    """One of the verbs that settle a call of unknown outcome: nothing more is to be done."""

    @extend_schema(summary="Mark handled", request=Reason, responses=CallDetail)
    def post(self, request: ApiRequest, pk: str) -> Response:
        """Settle a call of outcome `unknown` without any further action; it no longer needs a person."""
        return self.settle(partial(reconciliation.mark_handled, verb="mark_handled"))


class WasAPerson(_SettlesCalls):
    """The correction of a carrier's verdict that a machine answered."""

    @extend_schema(summary="It was a person who answered", request=Reason, responses=CallDetail)
    def post(self, request: ApiRequest, pk: str) -> Response:
        """Correct the verdict that a machine answered: of a live call when it ends, of an ended `voicemail` at once.

        The call is then `answered`, its pending retry is cancelled, and the contact is reached.
        """
        return self.settle(corrections.was_a_person)
