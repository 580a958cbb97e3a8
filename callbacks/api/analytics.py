"""The route that shows what works: connect rates by group, and what became of promises."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from callbacks import analytics
from callbacks.analytics import LONGEST_PERIOD, GroupBy, Scope
from callbacks.models import Callback
from dialer.models import Campaign, RetryPolicy
from dialer.workspaces.api.errors import InvalidFields
from dialer.workspaces.api.fields import InstantField, OneOfField, ReferenceField
from dialer.workspaces.api.request import ApiRequest
from dialer.workspaces.api.serializers import Filters
from dialer.workspaces.api.views import ApiView

_USUAL_PERIOD = timedelta(days=30)


class AnalyticsAsked(Filters):
    campaign_id = ReferenceField(Campaign, required=False)
    policy_id = ReferenceField(
        RetryPolicy, required=False, help_text="Of campaigns that have this policy today, by name or as the default one"
    )
    group_by = OneOfField([by.value for by in GroupBy], required=False, default=GroupBy.ATTEMPT.value)

    def get_fields(self) -> dict[str, Any]:
        # ``from`` is a keyword of Python, so it cannot be declared as an attribute.
        period = {
            "from": InstantField(required=False, help_text="Default: 30 days before `to`"),
            "to": InstantField(required=False, help_text="Default: now; at most 92 days after `from`"),
        }
        return {**period, **super().get_fields()}


class RateShown(serializers.Serializer[Any]):
    """Calls that ended, and those in which a person talked; in 19 of 20 cases the true rate is within the interval."""

    calls = serializers.IntegerField()
    answered = serializers.IntegerField()
    percent = serializers.FloatField()
    low = serializers.FloatField(help_text="Lower end of the 95 % interval (Wilson), in percent")
    high = serializers.FloatField(help_text="Upper end")


class _GroupShown(RateShown):
    key = serializers.CharField(allow_null=True, help_text="`null`: not known")
    text = serializers.CharField()


class _PromisesShown(serializers.Serializer[Any]):
    kept = serializers.IntegerField(help_text="Called within 15 minutes of their time")
    late = serializers.IntegerField(help_text="Called later")
    broken = serializers.IntegerField(help_text="Not called, though 15 minutes have passed")
    handled = serializers.IntegerField(help_text="Completed by other means, or by the contact's own call")
    withdrawn = serializers.IntegerField(help_text="Cancelled or superseded before 15 minutes had passed")
    waiting = serializers.IntegerField(help_text="Due, and 15 minutes have not passed yet")
    lateness_p50_seconds = serializers.FloatField(source="lateness_p50", allow_null=True)
    lateness_p95_seconds = serializers.FloatField(source="lateness_p95", allow_null=True)


class AnalyticsShown(serializers.Serializer[Any]):
    group_by = serializers.ChoiceField([by.value for by in GroupBy])
    total = RateShown()
    groups = _GroupShown(many=True)
    promises = _PromisesShown()

    def get_fields(self) -> dict[str, Any]:
        return {"from": InstantField(), "to": InstantField(), **super().get_fields()}


class Analytics(ApiView):
    """What works."""

    queryset = Callback.objects.all()
    serializer_class = AnalyticsShown

    @extend_schema(summary="Show what works", parameters=[AnalyticsAsked], responses=AnalyticsShown)
    def get(self, request: ApiRequest) -> Response:
        """Compare how often calls connect, and count the promises that were kept.

        `hour` and `weekday` are those of the contact's clock; `gap` is the time since the previous attempt ended, its
        `key` the lower bound in minutes. Calls count by when they were handed over, promises by when they were due.
        """
        asked = AnalyticsAsked(data=request.query_params.dict(), context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        given: dict[str, Any] = asked.validated_data
        until = given.get("to", request.now)
        since = given.get("from", until - _USUAL_PERIOD)
        if not timedelta() < until - since <= LONGEST_PERIOD:
            raise InvalidFields({"to": [f"must be after from, and at most {LONGEST_PERIOD.days} days after it"]})
        campaign, policy = given.get("campaign_id"), given.get("policy_id")
        scope = Scope(
            workspace_id=request.workspace_id,
            since=since,
            until=until,
            campaign_id=campaign.pk if campaign else None,
            policy_id=policy.pk if policy else None,
        )
        found = analytics.connects(scope, GroupBy(given["group_by"]))
        return self.shown(
            {
                "from": since,
                "to": until,
                "group_by": given["group_by"],
                "total": asdict(found.total),
                "groups": [{"key": group.key, "text": group.text, **asdict(group.rate)} for group in found.groups],
                "promises": analytics.promises(scope, now=request.now),
            }
        )
