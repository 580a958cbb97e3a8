"""Workspaces, members, API keys, audit entries, and the base classes of all models."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import BaseValidator, MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from dialer.workspaces.client import LONGEST_AGENT
from dialer.workspaces.ids import new_id, public_id
from dialer.workspaces.roles import Role
from dialer.workspaces.scoping import OwnedQuerySet, WorkspaceQuerySet


def default_contact_limits() -> list[dict[str, Any]]:
    """Return the limit of new workspaces: 10 calls per number in 24 hours."""
    return [{"max": 10, "period_hours": 24, "scope": "number"}]


KEEPS_DAYS: Mapping[str, range] = {
    "keep_events_days": range(30, 3_651),
    "keep_deliveries_days": range(7, 31),
    "keep_imports_days": range(1, 3_651),
    "keep_transcripts_days": range(1, 3_651),
}
"""How long a workspace may keep what it need not keep for ever. Deliveries last longer than an endpoint may fail before
it is switched off, so that what it missed can be replayed; events last as long as any delivery of them."""


def _kept(name: str) -> list[BaseValidator]:
    return [MinValueValidator(KEEPS_DAYS[name][0]), MaxValueValidator(KEEPS_DAYS[name][-1])]


class PublicId(models.Model):
    """A row with a UUIDv7 and a public id, made of a prefix and the UUID."""

    public_prefix: ClassVar[str]

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)

    class Meta:
        abstract = True

    @property
    def public_id(self) -> str:
        return public_id(self.public_prefix, self.id)


class Workspace(PublicId):
    """The tenant, with the defaults for everything in it."""

    public_prefix = "ws"

    name = models.CharField(max_length=200)
    time_zone = models.CharField(max_length=64, default="UTC", help_text="IANA name, such as Europe/Berlin")
    schedule = models.JSONField(default=dict, blank=True)
    contact_limits = models.JSONField(default=default_contact_limits, blank=True)
    stale_after_hours = models.PositiveIntegerField(
        default=72, validators=[MinValueValidator(1), MaxValueValidator(8760)]
    )
    calls_per_second = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0.001)])
    max_concurrent_calls = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    requires_two_factor = models.BooleanField(
        default=False, help_text="Whoever sees this workspace must sign in with a second factor"
    )
    keep_events_days = models.PositiveIntegerField(
        default=365, null=True, blank=True, validators=_kept("keep_events_days"), help_text="Empty: for ever"
    )
    keep_deliveries_days = models.PositiveIntegerField(default=30, validators=_kept("keep_deliveries_days"))
    keep_imports_days = models.PositiveIntegerField(
        default=90, null=True, blank=True, validators=_kept("keep_imports_days"), help_text="Empty: for ever"
    )
    keep_transcripts_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=_kept("keep_transcripts_days"),
        help_text="Transcripts, recordings' addresses and analyses; empty: for ever",
    )
    next_free_at = models.DateTimeField(null=True, editable=False)
    closed_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = WorkspaceQuerySet["Workspace"].as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(stale_after_hours__gte=1), name="workspace_stale_after_hours_positive"),
            *(
                models.CheckConstraint(
                    condition=Q((name, None)) | Q((f"{name}__gte", days[0]), (f"{name}__lte", days[-1])),
                    name=f"workspace_{name}_bounded",
                )
                for name, days in KEEPS_DAYS.items()
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PurgedWorkspace(models.Model):
    """All that is left of a workspace that was closed and purged: that it existed."""

    id = models.UUIDField(primary_key=True)
    name = models.CharField(max_length=200)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField()
    purged_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Owned(models.Model):
    """A row of one workspace; queries select rows by the methods in ``scoping``."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")

    objects: ClassVar[Any] = OwnedQuerySet.as_manager()
    free_text: ClassVar[Sequence[str]] = ()
    """Columns that hold what people wrote; they are searched for a contact that is to be forgotten."""

    class Meta:
        abstract = True


class Member(Owned):
    """A user who belongs to a workspace, with a role in it; ``members`` adds, changes and removes them."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(
        max_length=8,
        choices=[(role.value, role.value) for role in Role],
        help_text="What the user may do in this workspace",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "user"], name="member_once_per_workspace"),
            models.CheckConstraint(condition=Q(role__in=[role.value for role in Role]), name="member_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.workspace}"


class ApiKey(Owned, PublicId):
    """A key of the REST API, stored as a hash; ``api_keys`` issues, checks and revokes."""

    public_prefix = "key"

    class Scope(models.TextChoices):
        READ = "read"
        CALLS = "calls"
        CONTACTS = "contacts"
        WEBHOOKS = "webhooks"
        WRITE = "write"
        ADMIN = "admin"

    name = models.CharField(max_length=200)
    prefix = models.CharField(max_length=16, editable=False, help_text="The first characters, to tell keys apart")
    key_hash = models.BinaryField(max_length=32, unique=True, editable=False)
    scope = models.CharField(max_length=8, choices=Scope.choices, default=Scope.WRITE)
    expires_at = models.DateTimeField(null=True, blank=True)
    allowed_networks = ArrayField(
        models.CharField(max_length=43),
        default=list,
        blank=True,
        help_text="Where it may be used from; empty: anywhere",
    )
    refused_at = models.DateTimeField(
        null=True, editable=False, help_text="When a use from another address was last written to the audit"
    )
    revoked_at = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)
    addresses = ArrayField(
        models.CharField(max_length=45), default=list, editable=False, help_text="Where it was used from, newest last"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(scope__in=["read", "calls", "contacts", "webhooks", "write", "admin"]),
                name="api_key_scope_known",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class AuditEntry(Owned):
    """Who did what, when, from which state to which, and why; written by ``audit.record``.

    Nothing in it changes but what names a contact that is forgotten. Entries without a workspace are of the
    installation.
    """

    ACTOR_KINDS = [("user", "User"), ("key", "API key"), ("system", "System")]

    id = models.BigAutoField(primary_key=True)
    workspace = models.ForeignKey(  # type: ignore[assignment] # that of the other rows is never empty
        Workspace, null=True, on_delete=models.CASCADE, related_name="+"
    )
    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=8, choices=ACTOR_KINDS)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_label = models.CharField(max_length=200)
    address = models.GenericIPAddressField(null=True)
    agent = models.CharField(max_length=LONGEST_AGENT, blank=True)
    verb = models.CharField(max_length=64)
    object_type = models.CharField(max_length=64)
    object_id = models.CharField(max_length=64)
    from_state = models.JSONField(default=dict)
    to_state = models.JSONField(default=dict)
    reason = models.TextField(blank=True)

    free_text = ("from_state", "to_state", "reason")

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["object_id", "object_type", "id"], name="audit_of_object"),
            models.Index(fields=["workspace", "-id"], name="audit_newest"),
            models.Index(fields=["workspace", "at", "id"], name="audit_by_time"),
            models.Index(fields=["workspace", "actor_id", "at", "id"], name="audit_of_actor"),
            models.Index(fields=["workspace", "verb", "at", "id"], name="audit_of_verb"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.object_type} {self.object_id}"


class IdempotentRequest(Owned):
    """A request with an ``Idempotency-Key``, and its answer; ``idempotency`` keeps it for a day."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=255, help_text="SHA-256 of the client's key")
    api_key = models.ForeignKey(
        ApiKey,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,
        help_text="The key that asked, and alone may ask again",
    )
    fingerprint = models.BinaryField(max_length=32, help_text="Keyed hash of method, path and body")
    status = models.PositiveSmallIntegerField(null=True, help_text="Empty while it is being worked on")
    body = models.BinaryField(null=True, help_text="Encrypted")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="idempotent_request_once")]
        indexes = [models.Index(fields=["created_at"], name="idempotent_request_oldest")]

    def __str__(self) -> str:
        return self.name
