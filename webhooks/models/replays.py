"""Replays: jobs that send deliveries of an endpoint once more."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from dialer.workspaces.models import Owned, PublicId
from webhooks.models.endpoints import Endpoint
from webhooks.rules.statuses import DeliveryStatus, ReplayStatus


class Replay(Owned, PublicId):
    """A replay of all deliveries of one endpoint in a period, filtered by status and type; without a limit."""

    public_prefix = "replay"

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="replays", db_index=False)
    since = models.DateTimeField(help_text="Deliveries made from then on")
    until = models.DateTimeField(help_text="Deliveries made before then")
    statuses = ArrayField(
        models.CharField(max_length=16, choices=[(s.value, s.value) for s in DeliveryStatus]),
        help_text="Statuses of the deliveries to replay",
    )
    events = ArrayField(models.CharField(max_length=64), default=list, help_text="Event types; none means all")
    dry_run = models.BooleanField(default=False)
    status = models.CharField(
        max_length=8, choices=[(s.value, s.value) for s in ReplayStatus], default=ReplayStatus.RUNNING.value
    )
    stopped_because = models.CharField(max_length=200, blank=True, default="")
    counts = models.JSONField(default=dict, help_text="Deliveries found at the start, by status")
    total = models.PositiveBigIntegerField(default=0)
    replayed = models.PositiveBigIntegerField(default=0)
    reached = models.UUIDField(null=True, help_text="The last delivery processed; it continues after that")
    actor_kind = models.CharField(max_length=8)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_label = models.CharField(max_length=200)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    free_text = ("stopped_because",)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(status__in=[s.value for s in ReplayStatus]), name="replay_status_known"),
            models.CheckConstraint(condition=Q(since__lt=F("until")), name="replay_since_before_until"),
            models.CheckConstraint(
                condition=Q(status=ReplayStatus.RUNNING.value, finished_at__isnull=True)
                | (~Q(status=ReplayStatus.RUNNING.value) & Q(finished_at__isnull=False)),
                name="replay_running_or_finished",
            ),
            models.CheckConstraint(condition=Q(dry_run=False) | Q(replayed=0), name="replay_dry_run_sends_nothing"),
        ]
        indexes = [
            models.Index(fields=["workspace", "-id"], name="replay_newest"),
            models.Index(fields=["endpoint"], name="replay_of_endpoint"),
            models.Index(fields=["id"], condition=Q(status=ReplayStatus.RUNNING.value), name="replay_running"),
        ]

    def __str__(self) -> str:
        return self.public_id
