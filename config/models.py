"""What the house itself keeps: signs of life."""

from django.db import models


class Heartbeat(models.Model):
    """When a worker last took a message that beat had sent to this queue: beat, broker and worker were alive then."""

    queue = models.CharField(primary_key=True, max_length=32)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.queue} {self.at.isoformat()}"
