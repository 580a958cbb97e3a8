"""Views of the callback queue: list, read, create, verbs and previews."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.response import Response

from callbacks import preview, queue_views, scheduling
from callbacks.api import errors as _errors  # noqa: F401 — registers what refusals mean
from callbacks.api.serializers import (
    FORM_OF_ID,
    LONGEST_ID,
    Acted,
    CallbackFilters,
    CallbackMade,
    CallbackScheduled,
    CallbackShown,
    CalledNow,
    CampaignPreviewAsked,
    CountsShown,
    Edited,
    PolicyPreviewAsked,
    PreviewAsked,
    PreviewShown,
    Rescheduled,
)
from callbacks.models import Callback
from callbacks.questions import question_in
from callbacks.refusals import InvalidTime
from callbacks.rules.statuses import CallbackType
from callbacks.scheduling import Force, Scheduled
from callbacks.verbs import VERBS, Verb
from dialer.api.shapes import contacts_found
from dialer.models import Campaign, RetryPolicy
from dialer.workspaces.api.errors import InvalidFields
from dialer.workspaces.api.idempotency import idempotent
from dialer.workspaces.api.periods import ListsByTime, within
from dialer.workspaces.api.request import ApiRequest
from dialer.workspaces.api.views import ApiView, Reads
from dialer.workspaces.api_keys import reaches
from dialer.workspaces.models import ApiKey

SHOWN = ("contact", "campaign", "call__persona")


class ShowsCallbacks(ApiView):
    """Views that answer with rows of the queue."""

    scope_to_write = ApiKey.Scope.CALLS
    waiting: dict[int, Any]

    def get_serializer_context(self) -> dict[str, Any]:
        return {
            **super().get_serializer_context(),
            "now": self.request.now,
            "time_zone": self.request.key.workspace.time_zone,
            "waiting": getattr(self, "waiting", {}),
        }

    def row(self, callback_id: int) -> Callback:
        """Return one callback with all rows that its answer shows."""
        callback: Callback = (
            Callback.objects.in_workspace(self.request.workspace_id).select_related(*SHOWN).get(pk=callback_id)
        )
        self.waiting = dict(queue_views.why_waiting([callback], now=self.request.now))
        return callback

    def scheduled(self, done: Scheduled) -> Response:
        context = {"superseded_id": done.superseded_id, "held_by": done.held_by}
        callback = self.row(done.callback.pk)
        shown = CallbackScheduled(callback, context={**self.get_serializer_context(), **context})
        return Response(shown.data, status=201)

    def force(self, given: dict[str, Any]) -> Force | None:
        """Return the force asked for, if any; raises ``PermissionDenied`` if the key may not force."""
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
class Callbacks(ShowsCallbacks, ListsByTime, Reads):
    """Promises to call contacts at a time."""

    queryset = Callback.objects.select_related(*SHOWN)
    serializer_class = CallbackShown
    filters = CallbackFilters
    orderings = ("-id", "id", "scheduled_at", "-scheduled_at")
    time_column = "scheduled_at"
    lookup_field = "id"

    def id_in_path(self, name: str) -> dict[str, Any]:
        return FORM_OF_ID

    def default_ordering(self) -> str:
        """Order a queue by time, soonest first."""
        return "scheduled_at" if "queue" in self.request.query_params else super().default_ordering()

    def filtered(self, rows: QuerySet[Callback], asked: dict[str, Any]) -> QuerySet[Callback]:
        for name in ("phone", "name"):
            if name in asked:
                rows = rows.filter(contact_id__in=contacts_found(self.request.workspace_id, name, asked.pop(name)))
        return filtered(rows, asked, now=self.request.now, time_zone=self.request.key.workspace.time_zone)

    def prepared(self, page: Sequence[Any]) -> Sequence[Any]:
        self.waiting = dict(queue_views.why_waiting(page, now=self.request.now))
        return page

    def retrieve(self, request: ApiRequest, id: str) -> Response:  # noqa: A002 — as the path names it
        return self.shown(self.row(_read_id(id)))

    @extend_schema(summary="Write notes, assign a persona", request=Edited, responses={200: CallbackShown})
    def partial_update(self, request: ApiRequest, id: str) -> Response:  # noqa: A002
        """Change the given fields of a pending callback; its persona then makes this call and those that follow it."""
        given = self.given(Edited)
        if "persona_id" in given:
            given["persona_id"] = given["persona_id"].pk if given["persona_id"] else None
        return self.act(id, VERBS["edit"], given)

    @extend_schema(summary="Promise a callback", request=CallbackMade, responses={201: CallbackScheduled})
    @idempotent
    def create(self, request: ApiRequest) -> Response:
        """Promise a callback by hand, or for a contact who requested it.

        Outside the window, or where a limit forbids it, the time moves to the next permitted one and the answer says
        so in `adjusted_from` and `adjusted_reason`.
        """
        given = self.given(CallbackMade)
        campaign, persona = given.get("campaign_id"), given.get("persona_id")
        with time_named(given):
            done = scheduling.request(
                contact_id=given["contact_id"].pk,
                campaign_id=campaign.pk if campaign else None,
                persona_id=persona.pk if persona else None,
                type=CallbackType(given["type"]),
                scheduled_at=given.get("scheduled_at"),
                local_time=given.get("local_time"),
                notes=given["notes"],
                force=self.force(given),
                replace=given["replace"],
                reason=given["reason"],
                **request.about,
            )
        return self.scheduled(done)

    @extend_schema(summary="Count the queues", responses={200: CountsShown}, filters=False)
    @action(detail=False, methods=["get"], pagination_class=None)
    def counts(self, request: ApiRequest) -> Response:
        """Count the callbacks in each queue, up to 10,000; a callback counts as overdue after a minute."""
        zone = request.key.workspace.time_zone
        found = queue_views.counts(request.workspace_id, now=request.now, time_zone=zone)
        return self.shown(found, CountsShown)

    @extend_schema(summary="What would happen", request=PreviewAsked, responses={200: PreviewShown})
    @action(detail=False, methods=["post"], pagination_class=None)
    def preview(self, request: ApiRequest) -> Response:
        """Apply the rules that schedule real calls to assumed outcomes; writes and dials nothing."""
        given = self.given(PreviewAsked)
        policy = given.pop("retry_policy_id", None)
        return Response(preview.preview(question_in(request.key.workspace, policy=policy, **given)))

    def act(self, id_in_path: str, verb: Verb, given: dict[str, Any]) -> Response:
        if "force" in verb.takes:
            given["force"] = self.force(given)
        with time_named(given):
            done = verb.do(_read_id(id_in_path), **self.request.about, **given)
        return self.shown(self.row(done.pk))


def _route(name: str, verb: Verb) -> object:
    """Make a verb a route of its own."""
    body = Rescheduled if "scheduled_at" in verb.takes else CalledNow if "force" in verb.takes else Acted

    def act(self: Callbacks, request: ApiRequest, id: str) -> Response:  # noqa: A002, ARG001 — as the path names it
        return self.act(id, verb, self.given(body))

    act.__name__ = name
    described = extend_schema(
        summary=verb.title, description=verb.explains, request=body, responses={200: CallbackShown}
    )
    route = action(detail=True, methods=["post"], url_path=name.replace("_", "-"))
    return described(route(idempotent(act)))


for _name, _verb in VERBS.items():
    if _name != "edit":  # a PATCH
        setattr(Callbacks, _name, _route(_name, _verb))


class CampaignPreview(ApiView):
    """Previews a campaign's settings for a contact."""

    queryset = Campaign.objects.select_related("retry_policy", "line")
    serializer_class = PreviewShown

    @extend_schema(
        summary="What would happen in a campaign", request=CampaignPreviewAsked, responses={200: PreviewShown}
    )
    def post(self, request: ApiRequest, pk: str) -> Response:
        """Preview with the campaign's current schedule, zone, policy, limits and line."""
        campaign = self.get_object()
        given = self.given(CampaignPreviewAsked)
        return Response(preview.preview(question_in(request.key.workspace, campaign=campaign, **given)))


class PolicyPreview(ApiView):
    """Previews a retry policy."""

    queryset = RetryPolicy.objects.all()
    serializer_class = PreviewShown

    @extend_schema(
        summary="What would happen under a policy", request=PolicyPreviewAsked, responses={200: PreviewShown}
    )
    def post(self, request: ApiRequest, pk: str) -> Response:
        """Preview as if a campaign named the policy."""
        policy = self.get_object()
        given = self.given(PolicyPreviewAsked)
        return Response(preview.preview(question_in(request.key.workspace, policy=policy, **given)))


def filtered(rows: QuerySet[Callback], asked: dict[str, Any], *, now: datetime, time_zone: str) -> QuerySet[Callback]:
    """Return the callbacks that match the filters of the list."""
    if queue := asked.pop("queue", None):
        rows = queue_views.in_queue(rows, queue, now=now, time_zone=time_zone)
    rows = within(rows, "scheduled_at", asked)
    return rows.filter(**{_COLUMNS[name]: value for name, value in asked.items()})


_COLUMNS = {
    "status": "status",
    "type": "type",
    "outcome": "original_outcome",
    "campaign_id": "campaign_id",
    "persona_id": "call__persona_id",
    "contact_id": "contact_id",
}


def _read_id(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= LONGEST_ID):
        raise Http404
    return int(text)


@contextmanager
def time_named(given: dict[str, Any]) -> Iterator[None]:
    """Turn ``InvalidTime`` into a validation error of the field that gave the time."""
    try:
        yield
    except InvalidTime as refused:
        name = "local_time" if "local_time" in given else "scheduled_at"
        raise InvalidFields({name: [str(refused)]}) from refused
