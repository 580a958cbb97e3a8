"""The callback queue: looked at, asked for, acted on, and imagined."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.response import Response

from callbacks import actions, preview, queue_views, scheduling, undoing
from callbacks.api import errors as _errors  # noqa: F401 — registers what refusals mean
from callbacks.api.serializers import (
    Acted,
    Bulk,
    BulkShown,
    CallbackFilters,
    CallbackMade,
    CallbackRequested,
    CallbackScheduled,
    CallbackShown,
    CalledNow,
    PolicyPreviewAsked,
    PreviewAsked,
    PreviewShown,
    Rescheduled,
)
from callbacks.models import Callback
from callbacks.questions import question_in
from callbacks.rules.statuses import CallbackType
from callbacks.scheduling import Force, InvalidTime, Scheduled
from dialer.models import Call, RetryPolicy
from dialer.workspaces.api.authentication import reaches
from dialer.workspaces.api.errors import InvalidFields, problem_of
from dialer.workspaces.api.idempotency import idempotent, idempotent_in_steps
from dialer.workspaces.api.request import ApiRequest
from dialer.workspaces.api.views import ApiView, Lists, Reads

_LONGEST_ID = 18
_SHOWN = ("contact", "campaign", "call__persona")


class _ShowsCallbacks(ApiView):
    """Views that answer with rows of the queue."""

    waiting: dict[int, Any]

    def get_serializer_context(self) -> dict[str, Any]:
        return {
            **super().get_serializer_context(),
            "now": self.request.now,
            "time_zone": self.request.key.workspace.time_zone,
            "waiting": getattr(self, "waiting", {}),
        }

    def row(self, callback_id: int) -> Callback:
        """Return one callback with everything that is shown of it."""
        callback: Callback = (
            Callback.objects.in_workspace(self.request.workspace_id).select_related(*_SHOWN).get(pk=callback_id)
        )
        self.waiting = dict(queue_views.why_waiting([callback], now=self.request.now))
        return callback

    def scheduled(self, done: Scheduled) -> Response:
        context = {"superseded_id": done.superseded_id, "held_by": done.held_by}
        callback = self.row(done.callback.pk)
        shown = CallbackScheduled(callback, context={**self.get_serializer_context(), **context})
        return Response(shown.data, status=201)

    def force(self, given: dict[str, Any]) -> Force | None:
        """Return the checks to pass; raises ``PermissionDenied`` where the key may not force anything."""
        if not given.get("force"):
            return None
        if not reaches(self.request.key, "admin"):
            message = "`force` needs an admin key."
            raise PermissionDenied(message)
        return Force(checks=frozenset(given["force"]), reason=given["reason"])


@extend_schema_view(
    list=extend_schema(summary="List callbacks"),
    retrieve=extend_schema(summary="Read a callback"),
)
@extend_schema(parameters=[OpenApiParameter("id", OpenApiTypes.INT64, OpenApiParameter.PATH)])
class Callbacks(_ShowsCallbacks, Lists, Reads):
    """Promises to call contacts at a time."""

    queryset = Callback.objects.select_related(*_SHOWN)
    serializer_class = CallbackShown
    filters = CallbackFilters
    orderings = ("-id", "id", "scheduled_at", "-scheduled_at")
    lookup_field = "id"

    def default_ordering(self) -> str:
        """The queue is worked off by time; otherwise the newest come first."""
        return "scheduled_at" if "queue" in self.request.query_params else "-id"

    def filtered(self, rows: QuerySet[Callback], asked: dict[str, Any]) -> QuerySet[Callback]:
        zone = self.request.key.workspace.time_zone
        if queue := asked.pop("queue", None):
            rows = queue_views.in_queue(rows, queue, now=self.request.now, time_zone=zone)
        return rows.filter(**{_COLUMNS[name]: value for name, value in asked.items()})

    def prepared(self, page: Sequence[Any]) -> Sequence[Any]:
        self.waiting = dict(queue_views.why_waiting(page, now=self.request.now))
        return page

    def retrieve(self, request: ApiRequest, id: str) -> Response:  # noqa: A002 — as the path names it
        return self.shown(self.row(_read_id(id)))

    @extend_schema(summary="Promise a callback", request=CallbackMade, responses={201: CallbackScheduled})
    @idempotent
    def create(self, request: ApiRequest) -> Response:
        """Made by hand, or for a contact that asked for it.

        Outside the window, or where a limit forbids it, the time moves to the next permitted one and the answer says
        so in `adjusted_from` and `adjusted_reason`.
        """
        given = self.given(CallbackMade)
        campaign, persona = given.get("campaign_id"), given.get("persona_id")
        with _time_named(given):
            done = scheduling.request(
                workspace_id=request.workspace_id,
                contact_id=given["contact_id"].pk,
                campaign_id=campaign.pk if campaign else None,
                persona_id=persona.pk if persona else None,
                type=CallbackType(given["type"]),
                scheduled_at=given.get("scheduled_at"),
                local_time=given.get("local_time"),
                notes=given["notes"],
                force=self.force(given),
                replace=given["replace"],
                actor=request.actor,
                now=request.now,
            )
        return self.scheduled(done)

    @extend_schema(summary="Call now", request=CalledNow, responses={200: CallbackShown})
    @action(detail=True, methods=["post"], url_path="call-now")
    @idempotent
    def call_now(self, request: ApiRequest, id: str) -> Response:  # noqa: A002
        """Due at once, ahead of all others; outside the window, a limit or a running campaign only by `force`."""
        given = self.given(CalledNow)
        return self._act(id, actions.call_now, reason=given["reason"], force=self.force(given))

    @extend_schema(summary="Reschedule", request=Rescheduled, responses={200: CallbackShown})
    @action(detail=True, methods=["post"])
    @idempotent
    def reschedule(self, request: ApiRequest, id: str) -> Response:  # noqa: A002
        """A new time; one that is not permitted is refused with the next that is, unless `force` names the check."""
        given = self.given(Rescheduled)
        with _time_named(given):
            return self._act(
                id,
                actions.reschedule,
                scheduled_at=given["scheduled_at"],
                reason=given["reason"],
                force=self.force(given),
            )

    @extend_schema(summary="Skip", request=Acted, responses={200: CallbackShown})
    @action(detail=True, methods=["post"])
    @idempotent
    def skip(self, request: ApiRequest, id: str) -> Response:  # noqa: A002
        """Use this retry up; the next is scheduled, or the chain ends `exhausted`."""
        return self._act(id, actions.skip, **self.given(Acted))

    @extend_schema(summary="Cancel", request=Acted, responses={200: CallbackShown})
    @action(detail=True, methods=["post"])
    @idempotent
    def cancel(self, request: ApiRequest, id: str) -> Response:  # noqa: A002
        """Cancel this and every future retry of the chain."""
        return self._act(id, actions.cancel, **self.given(Acted))

    @extend_schema(summary="Mark complete", request=Acted, responses={200: CallbackShown})
    @action(detail=True, methods=["post"])
    @idempotent
    def complete(self, request: ApiRequest, id: str) -> Response:  # noqa: A002
        """Handled by other means; ends the chain as handled."""
        return self._act(id, actions.complete, **self.given(Acted))

    @extend_schema(summary="Undo", request=Acted, responses={200: CallbackShown})
    @action(detail=True, methods=["post"])
    @idempotent
    def undo(self, request: ApiRequest, id: str) -> Response:  # noqa: A002
        """Take back a cancel, a skip or a completion, while nothing took the callback's place."""
        return self._act(id, undoing.undo, **self.given(Acted))

    @extend_schema(summary="Act on many", request=Bulk, responses={200: BulkShown})
    @action(detail=False, methods=["post"], pagination_class=None)
    @idempotent_in_steps
    def bulk(self, request: ApiRequest) -> Response:
        """One action on many callbacks, each by itself: what is refused stops no other, and says why."""
        given = self.given(Bulk)
        fields: dict[str, Any] = {"reason": given["reason"]}
        if given["action"] in ("call_now", "reschedule"):
            fields["force"] = self.force(given)
        if "scheduled_at" in given:
            fields["scheduled_at"] = given["scheduled_at"]
        with _time_named(given):
            refusals = {
                callback_id: self._refusal(_VERBS[given["action"]], callback_id, fields)
                for callback_id in dict.fromkeys(given["ids"])
            }
        refused = sum(refusal is not None for refusal in refusals.values())
        results = [
            {"id": callback_id, "is_done": refusal is None, "error": refusal}
            for callback_id, refusal in refusals.items()
        ]
        return Response({"done": len(results) - refused, "refused": refused, "results": results})

    @extend_schema(summary="What would happen", request=PreviewAsked, responses={200: PreviewShown})
    @action(detail=False, methods=["post"], pagination_class=None)
    def preview(self, request: ApiRequest) -> Response:
        """The very rules that schedule, on made-up outcomes; writes nothing and dials nothing."""
        given = self.given(PreviewAsked)
        policy = given.pop("retry_policy_id", None)
        return Response(preview.preview(question_in(request.key.workspace, policy=policy, **given)))

    def _act(self, id_in_path: str, verb: Callable[..., Callback], **fields: Any) -> Response:  # noqa: ANN401 — the verb's
        done = verb(
            _read_id(id_in_path),
            workspace_id=self.request.workspace_id,
            actor=self.request.actor,
            now=self.request.now,
            **fields,
        )
        return self.shown(self.row(done.pk))

    def _refusal(
        self, verb: Callable[..., Callback], callback_id: int, fields: dict[str, Any]
    ) -> dict[str, object] | None:
        try:
            verb(
                callback_id,
                workspace_id=self.request.workspace_id,
                actor=self.request.actor,
                now=self.request.now,
                **fields,
            )
        except InvalidTime:
            raise
        except Exception as error:
            problem = problem_of(error)
            if problem is None:
                raise
            return {"code": problem.code, "message": problem.message, "details": dict(problem.details)}
        return None


class RequestCallback(_ShowsCallbacks):
    """What a voice agent asks for while it talks."""

    queryset = Call.objects.all()
    serializer_class = CallbackScheduled

    @extend_schema(
        summary="Promise the callback that the contact asks for",
        request=CallbackRequested,
        responses={201: CallbackScheduled},
    )
    @idempotent
    def post(self, request: ApiRequest, pk: str) -> Response:
        """The time is an instant, or a time on the contact's own clock; whatever was pending is replaced."""
        given = self.given(CallbackRequested)
        call: Call = self.get_object()
        with _time_named(given):
            done = scheduling.request(
                workspace_id=request.workspace_id,
                contact_id=call.contact_id,
                campaign_id=call.campaign_id,
                origin_call_id=call.pk,
                type=CallbackType.CUSTOMER_REQUESTED,
                scheduled_at=given.get("scheduled_at"),
                local_time=given.get("local_time"),
                notes=given["notes"],
                actor=request.actor,
                now=request.now,
            )
        return self.scheduled(done)


class PolicyPreview(ApiView):
    """What a retry policy means."""

    queryset = RetryPolicy.objects.all()
    serializer_class = PreviewShown

    @extend_schema(
        summary="What would happen under a policy", request=PolicyPreviewAsked, responses={200: PreviewShown}
    )
    def post(self, request: ApiRequest, pk: str) -> Response:
        """As if a campaign named the policy."""
        policy = self.get_object()
        given = self.given(PolicyPreviewAsked)
        return Response(preview.preview(question_in(request.key.workspace, policy=policy, **given)))


_COLUMNS = {
    "status": "status",
    "type": "type",
    "outcome": "original_outcome",
    "campaign": "campaign_id",
    "persona": "call__persona_id",
    "contact": "contact_id",
}
_VERBS: dict[str, Callable[..., Callback]] = {
    "call_now": actions.call_now,
    "reschedule": actions.reschedule,
    "skip": actions.skip,
    "cancel": actions.cancel,
    "complete": actions.complete,
}


def _read_id(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_ID):
        raise Http404
    return int(text)


@contextmanager
def _time_named(given: dict[str, Any]) -> Iterator[None]:
    """Say of a time that cannot be promised in which field it was given."""
    try:
        yield
    except InvalidTime as refused:
        name = "local_time" if "local_time" in given else "scheduled_at"
        raise InvalidFields({name: [str(refused)]}) from refused
