"""Filters that offer a bounded list of rows from the user's workspaces."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from dialer.models import Campaign, Persona
from dialer.rules.statuses import Outcome
from dialer.workspaces.admin.filters import ChoiceFilter
from dialer.workspaces.ids import MalformedId, parse_public_id

MOST_OFFERED = 200


class _OwnedFilter(admin.SimpleListFilter):
    """Filters by a row of another table, given by public id; offers the newest rows."""

    model: ClassVar[Any]
    path: ClassVar[str]

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:  # noqa: ARG002 — Django's signature
        rows = self.model.objects.visible_to(request.user).order_by("-id").only("id", "name")[:MOST_OFFERED]
        return sorted(((row.public_id, row.name) for row in rows), key=lambda choice: choice[1].lower())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002 — Django's signature
        try:
            chosen = parse_public_id(self.model.public_prefix, self.value() or "")
        except MalformedId:
            return queryset
        return queryset.filter(**{self.path: chosen})


class CampaignFilter(_OwnedFilter):
    title = "campaign"
    parameter_name = "campaign"
    model = Campaign
    path = "campaign_id"


class PersonaFilter(_OwnedFilter):
    """Filters by the persona that talks."""

    title = "persona"
    parameter_name = "persona"
    model = Persona
    path = "call__persona_id"


class CallPersonaFilter(PersonaFilter):
    path = "persona_id"


class OutcomeFilter(ChoiceFilter):
    title = "outcome"
    parameter_name = path = "outcome"
    offered = tuple((outcome.value, outcome.value.replace("_", " ")) for outcome in Outcome)
