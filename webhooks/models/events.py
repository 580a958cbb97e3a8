"""Events: facts, frozen as bytes."""

from django.db import models
from django.db.models import BigIntegerField, Func, Q, TextField
from django.db.models.functions import Cast

from dialer.workspaces.models import Owned, PublicId, Workspace

_CURRENT_TRANSACTION = Cast(Cast(Func(function="pg_current_xact_id"), TextField()), BigIntegerField())
"""PostgreSQL's 64-bit number of the transaction; there is no direct cast of its type."""


class Event(Owned, PublicId):
    """A fact, frozen as the bytes that receivers get; nothing changes it but ``webhooks.redaction``."""

    public_prefix = "evt"

    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="+", editable=False, db_constraint=False, db_index=False
    )
    type = models.CharField(max_length=64)
    occurred_at = models.DateTimeField()
    body = models.BinaryField(help_text="The envelope, byte for byte as it is signed and sent")
    chain_id = models.UUIDField(null=True)
    sequence = models.PositiveIntegerField(null=True, help_text="Counts up per chain, without gaps")
    campaign_id = models.UUIDField(null=True)
    persona_id = models.UUIDField(null=True)
    call_id = models.UUIDField(null=True)
    unique_key = models.CharField(max_length=200, null=True)  # noqa: DJ001 — most events have none, and NULLs never collide
    is_test = models.BooleanField(default=False, db_default=False, help_text="A sample, sent to one endpoint only")
    recorded_in = models.BigIntegerField(
        db_default=_CURRENT_TRANSACTION,
        editable=False,
        help_text="The transaction that recorded it; the feed is in its order",
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "unique_key"], condition=Q(unique_key__isnull=False), name="event_once"
            ),
            models.UniqueConstraint(
                fields=["chain_id", "sequence"], condition=Q(chain_id__isnull=False), name="event_in_chain"
            ),
            models.CheckConstraint(
                condition=Q(chain_id__isnull=True, sequence__isnull=True) | Q(chain_id__isnull=False, sequence__gte=1),
                name="event_sequence_with_chain",
            ),
        ]
        indexes = [
            models.Index(fields=["workspace", "-id"], name="event_newest"),
            models.Index(fields=["workspace", "recorded_in", "id"], name="event_feed"),
            # Forgetting a contact searches them; events of calls, nearly all, never write this index.
            models.Index(fields=["workspace"], condition=Q(chain_id=None), name="event_outside_chains"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.public_id}"


class ChainSequence(models.Model):
    """The last sequence number of a chain; recording an event of the chain locks the row."""

    chain_id = models.UUIDField(primary_key=True)
    last = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.chain_id}: {self.last}"
