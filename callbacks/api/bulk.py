"""One action on many callbacks: at once if they are named by id, as a job if a filter selects them."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from callbacks import bulk
from callbacks.api.serializers import LONGEST_NOTES, CallbackFilters, CallbackIdField, Forcing
from callbacks.api.views import ShowsCallbacks, filtered, time_named
from callbacks.bulk import Order
from callbacks.models import BulkAction, Callback
from callbacks.refusals import code_of, words_of
from callbacks.rules.statuses import BulkStatus
from callbacks.scheduling import check_ahead
from callbacks.tasks import run_bulk_soon
from callbacks.verbs import VERBS, counted
from dialer.api.shapes import Reason
from dialer.models import Persona
from dialer.workspaces.api.errors import problem_of
from dialer.workspaces.api.fields import (
    InstantField,
    LocalTimeField,
    ObjectField,
    OneOfField,
    PublicIdField,
    ReferenceField,
    TextField,
    TruthField,
    WholeNumberField,
)
from dialer.workspaces.api.idempotency import idempotent_in_steps
from dialer.workspaces.api.request import ApiRequest
from dialer.workspaces.api.views import ApiView
from dialer.workspaces.models import ApiKey

MOST_AT_ONCE = 200
_OF_LISTS_ALONE = ("status", "phone", "name")


class BulkFilter(CallbackFilters):
    """Filters of the list, at least one; callbacks whose status does not allow the action are left out.

    The job keeps its filters, so they name nobody by number or name: a contact that is forgotten would stay in them.
    """

    def get_fields(self) -> dict[str, Any]:
        return {name: field for name, field in super().get_fields().items() if name not in _OF_LISTS_ALONE}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise serializers.ValidationError({"queue": ["name a filter; `all_pending` means every pending callback"]})
        return super().validate(attrs)


class Bulk(Forcing):
    """One action on many callbacks, each on its own: by ``ids``, or by a ``filter``."""

    action = OneOfField(tuple(VERBS))
    ids = serializers.ListField(
        child=WholeNumberField(min_value=1, max_value=2**63 - 1), min_length=1, max_length=MOST_AT_ONCE, required=False
    )
    filter = BulkFilter(required=False)
    dry_run = TruthField(required=False, default=False, help_text="Count what would change, and change nothing")
    scheduled_at = InstantField(required=False, help_text="For reschedule")
    local_time = LocalTimeField(required=False, help_text="For reschedule, on each contact's own clock")
    notes = TextField(required=False, allow_blank=True, max_length=LONGEST_NOTES, help_text="For edit")
    persona_id = ReferenceField(
        Persona, only={"archived_at": None}, required=False, allow_null=True, help_text="For edit"
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        action = attrs["action"]
        takes = VERBS[action].takes
        errors: dict[str, list[str]] = {
            name: [f"is not for {action}"]
            for name in ("force", "scheduled_at", "local_time", "notes", "persona_id")
            if name in attrs and name not in takes
        }
        if action == "reschedule" and ("scheduled_at" in attrs) == ("local_time" in attrs):
            errors["scheduled_at"] = ["give either scheduled_at or local_time for reschedule"]
        if action == "edit" and not attrs.keys() & takes:
            errors["notes"] = ["give notes or persona_id"]
        if ("ids" in attrs) == ("filter" in attrs):
            errors["ids"] = ["give either ids or filter"]
        if action == "undo" and "queue" in attrs.get("filter", {}):
            errors["filter.queue"] = ["holds pending callbacks, which have nothing to be undone"]
        if errors:
            raise serializers.ValidationError(errors)
        return attrs


class _Refusal(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()
    details = serializers.DictField(child=serializers.JSONField())


class _BulkRow(serializers.Serializer[Any]):
    id = CallbackIdField()
    is_done = serializers.BooleanField()
    error = _Refusal(allow_null=True)


class BulkShown(serializers.Serializer[Any]):
    """What a bulk action did, or would do, to each row; only for the schema."""

    text = serializers.CharField(help_text="7 rescheduled, 2 already being dialled")
    dry_run = serializers.BooleanField()
    done = serializers.IntegerField()
    refused = serializers.IntegerField()
    results = _BulkRow(many=True)


class _Reason(serializers.Serializer[Any]):
    code = serializers.CharField()
    text = serializers.CharField()
    count = serializers.IntegerField()


class _RefusedRow(serializers.Serializer[Any]):
    id = CallbackIdField()
    code = serializers.CharField()


class BulkJobShown(serializers.Serializer[BulkAction]):
    """The progress of a job; ``refused`` counts by reason, ``refusals`` lists the first refused callbacks."""

    id = PublicIdField(BulkAction.public_prefix)
    action = serializers.ChoiceField(tuple(VERBS))
    dry_run = serializers.BooleanField()
    filter = ObjectField(source="asked")
    status = serializers.ChoiceField([status.value for status in BulkStatus])
    text = serializers.SerializerMethodField(help_text="7 rescheduled, 2 already being dialled")
    total = serializers.IntegerField()
    done = serializers.IntegerField()
    refused = serializers.SerializerMethodField()
    refusals = serializers.SerializerMethodField()
    created_at = InstantField()
    finished_at = InstantField(allow_null=True)

    def get_text(self, job: BulkAction) -> str:
        return counted(job.action, done=job.done, refused=job.refused, dry_run=job.dry_run)

    @extend_schema_field(_Reason(many=True))
    def get_refused(self, job: BulkAction) -> list[dict[str, Any]]:
        ordered = sorted(job.refused.items(), key=lambda pair: (-pair[1], pair[0]))
        return [{"code": code, "text": words_of(code), "count": count} for code, count in ordered]

    @extend_schema_field(_RefusedRow(many=True))
    def get_refusals(self, job: BulkAction) -> list[dict[str, Any]]:
        return [{"id": row.callback_id, "code": row.outcome} for row in bulk.refused_rows(job)]


class BulkActions(ShowsCallbacks):
    """The route that starts bulk actions."""

    queryset = Callback.objects.all()
    serializer_class = BulkShown

    @extend_schema(
        operation_id="callbacks_bulk",
        summary="Act on many",
        request=Bulk,
        responses={200: BulkShown, 202: BulkJobShown},
    )
    @idempotent_in_steps
    def post(self, request: ApiRequest) -> Response:
        """Do one action to many callbacks, each on its own: a refusal has a reason and does not stop the others.

        Callbacks named by `ids` are changed at once. A `filter` starts a job for the callbacks that match it now: the
        answer is 202, and `GET callbacks/bulk/{id}/` shows its progress.
        """
        given = self.given(Bulk)
        order = self._order(given)
        if "filter" in given:
            return Response(BulkJobShown(self._start(order, given["filter"])).data, status=202)
        answers = bulk.act(order, given["ids"], now=request.now)
        refused = {callback_id: raised for callback_id, raised in answers.items() if raised is not None}
        reasons: dict[str, int] = {}
        for raised in refused.values():
            code = code_of(raised) or ""
            reasons[code] = reasons.get(code, 0) + 1
        done = len(answers) - len(refused)
        return Response(
            {
                "text": counted(order.action, done=done, refused=reasons, dry_run=order.dry_run),
                "dry_run": order.dry_run,
                "done": done,
                "refused": len(refused),
                "results": [
                    {"id": callback_id, "is_done": raised is None, "error": _error(raised)}
                    for callback_id, raised in answers.items()
                ],
            }
        )

    def _order(self, given: Mapping[str, Any]) -> Order:
        """Read the action and its arguments; an invalid time refuses the whole request, not each row."""
        fields: dict[str, Any] = {"reason": given["reason"]}
        if "scheduled_at" in given:
            with time_named(dict(given)):
                fields["scheduled_at"] = check_ahead(given["scheduled_at"], now=self.request.now).isoformat()
        if "local_time" in given:
            fields["local_time"] = given["local_time"].isoformat()
        if force := self.force(dict(given)):
            fields["force"] = {"checks": sorted(force.checks), "reason": force.reason}
        if "notes" in given:
            fields["notes"] = given["notes"]
        if "persona_id" in given:
            fields["persona_id"] = str(given["persona_id"].pk) if given["persona_id"] else None
        return Order(
            action=given["action"],
            fields=fields,
            workspace_id=self.request.workspace_id,
            actor=self.request.actor,
            dry_run=given["dry_run"],
        )

    def _start(self, order: Order, chosen: dict[str, Any]) -> BulkAction:
        rows: QuerySet[Callback] = filtered(
            self.get_queryset(), dict(chosen), now=self.request.now, time_zone=self.request.key.workspace.time_zone
        )
        body: Any = self.request.data
        asked = {name: item for name, item in BulkFilter.named(body["filter"]).items() if name in chosen}
        job = bulk.start(order, rows, asked=asked, now=self.request.now)
        run_bulk_soon(job)
        return job


class BulkJob(ApiView):
    """The progress of a bulk action."""

    queryset = BulkAction.objects.all()
    serializer_class = BulkJobShown

    @extend_schema(summary="Read a bulk action", responses=BulkJobShown)
    def get(self, request: ApiRequest, pk: str) -> Response:
        """Return its counts so far and the first refused callbacks."""
        return self.shown(self.get_object())


class StopBulkJob(ApiView):
    """The route that stops a bulk action."""

    queryset = BulkAction.objects.all()
    serializer_class = BulkJobShown
    scope_to_write = ApiKey.Scope.CALLS

    @extend_schema(summary="Stop a bulk action", request=Reason, responses=BulkJobShown)
    def post(self, request: ApiRequest, pk: str) -> Response:
        """Stop a bulk action; what was done stays done. 409 if it is not running."""
        return self.shown(self.do(bulk.stop, Reason))


def _error(raised: Exception | None) -> dict[str, object] | None:
    problem = problem_of(raised) if raised is not None else None
    if problem is None:
        return None
    return {"code": problem.code, "message": problem.message, "details": dict(problem.details)}
