"""The audit over HTTP: who did what, when and why."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers

from dialer.workspaces.api.fields import InstantField, OneOfField, TextField
from dialer.workspaces.api.serializers import Filters
from dialer.workspaces.api.views import Lists
from dialer.workspaces.models import AuditEntry

_ACTORS = [kind for kind, _ in AuditEntry.ACTOR_KINDS]
_LONGEST = 64
_COLUMNS = {"since": "at__gte", "until": "at__lt"}


class ActorSerializer(serializers.Serializer[Any]):
    """Who acted; ``id`` is empty for the system."""

    kind = serializers.ChoiceField(_ACTORS, source="actor_kind")
    id = TextField(source="actor_id")
    name = TextField(source="actor_label", help_text="As it was then")


class AuditEntrySerializer(serializers.Serializer[AuditEntry]):
    """One change of one object."""

    id = serializers.IntegerField()
    at = InstantField()
    actor = ActorSerializer(source="*")
    verb = TextField()
    object_type = TextField()
    object_id = TextField()
    to = serializers.DictField(source="to_state", help_text="What changed, after it")
    reason = TextField()
    address = TextField(allow_null=True, help_text="From which it was asked for")
    agent = TextField(help_text="With which program, as that said")

    def get_fields(self) -> dict[str, Any]:
        # ``from`` is a keyword of Python, so it cannot be declared as an attribute.
        before = serializers.DictField(source="from_state", help_text="What changed, before it")
        return {**super().get_fields(), "from": before}


class AuditFilter(Filters):
    object_type = TextField(required=False, max_length=_LONGEST)
    object_id = TextField(required=False, max_length=_LONGEST)
    actor_kind = OneOfField(_ACTORS, required=False)
    actor_id = TextField(required=False, max_length=_LONGEST)
    verb = TextField(required=False, max_length=_LONGEST)
    since = InstantField(required=False, help_text="At that time or later")
    until = InstantField(required=False, help_text="Before that time")


@extend_schema_view(list=extend_schema(summary="List audit entries"))
class Audit(Lists):
    """What people, keys and Ringback itself changed; entries are never changed."""

    queryset = AuditEntry.objects.all()
    serializer_class = AuditEntrySerializer
    filters = AuditFilter
    orderings = ("-at", "at")
    admin_actions = ("list",)

    def filtered(self, rows: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
        return rows.filter(**{_COLUMNS.get(name, name): value for name, value in asked.items()})
