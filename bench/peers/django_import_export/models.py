"""A contact with the columns, the constraints and the indexes of Ringback's."""

import uuid

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Contact(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    workspace_id = models.UUIDField(default=uuid.UUID(int=1).hex)
    external_id = models.CharField(max_length=200, null=True)  # noqa: DJ001 — as Ringback's
    name = models.CharField(max_length=200, blank=True)
    phone = models.CharField(max_length=16)
    time_zone = models.CharField(max_length=64, blank=True)
    zones = models.JSONField(default=list)
    timezone_source = models.CharField(max_length=16, blank=True)
    warnings = models.JSONField(default=list)
    status = models.CharField(max_length=64, blank=True)
    metadata = models.JSONField(default=dict)
    deleted_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace_id", "external_id"], name="contact_external_id_unique"),
            models.CheckConstraint(
                condition=Q(phone__regex=r"^\+[0-9]{7,15}$") | Q(deleted_at__isnull=False), name="contact_phone_e164"
            ),
        ]
        indexes = [
            models.Index(fields=["workspace_id", "phone", "-id"], name="contact_by_phone"),
            GinIndex(SearchVector("name", config="simple"), name="contact_words_of_name"),
            models.Index(fields=["workspace_id", "-id"], name="contact_newest"),
        ]

    def __str__(self) -> str:
        return self.name or self.phone
