"""Tables of the installation: heartbeats and the demo."""

from django.db import models

from dialer.workspaces.models import Workspace


class Heartbeat(models.Model):
    """When a worker last took a message of beat from this queue, which proves beat, broker and worker alive."""

    queue = models.CharField(primary_key=True, max_length=32)
    at = models.DateTimeField()
    clock_ahead_seconds = models.FloatField(default=0, help_text="Of the worker's clock before PostgreSQL's")

    def __str__(self) -> str:
        return f"{self.queue} {self.at.isoformat()}"


class Demo(models.Model):
    """Which workspace is the demo's, and when it was last started; at most one row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    started_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="demo_once")]

    def __str__(self) -> str:
        return f"{self.workspace} since {self.started_at.isoformat()}"


class InboxMessage(models.Model):
    """A webhook as the demo's inbox received it; a repeat under the same id is only counted."""

    message_id = models.CharField(max_length=100, unique=True)
    event = models.CharField(max_length=64)
    headers = models.JSONField()
    body = models.BinaryField(help_text="As it came; the signature is over these bytes")
    problem = models.CharField(max_length=200, blank=True, help_text="Why it was not verified; empty if it was")
    times = models.PositiveIntegerField(default=1)
    received_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["event", "-id"], name="inbox_newest_of_event")]

    def __str__(self) -> str:
        return f"{self.event} {self.message_id}"
