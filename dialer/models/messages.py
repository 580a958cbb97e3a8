"""Text messages, sent and received."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from dialer.models.campaigns import Campaign
from dialer.models.contacts import Contact
from dialer.models.resources import Line
from dialer.rules.statuses import Direction, MessageStatus
from dialer.workspaces.models import Owned, PublicId, Workspace

_QUEUED = Q(status=MessageStatus.QUEUED.value)
_SENDING = Q(status=MessageStatus.SENDING.value)
_INBOUND = Q(direction=Direction.INBOUND.value)


class Message(Owned, PublicId):
    """An SMS: one that we send at most once, or one that somebody sent us."""

    public_prefix = "msg"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+", db_index=False)
    direction = models.CharField(max_length=8, choices=[(d.value, d.value) for d in Direction])
    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, related_name="messages", db_index=False)
    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    line = models.ForeignKey(Line, on_delete=models.PROTECT, related_name="+", db_index=False)
    number = models.CharField(max_length=16, help_text="The contact's; empty once the contact is forgotten")
    caller_id = models.CharField(max_length=32, help_text="Ours: what it is sent from, or was sent to")
    body = models.TextField()
    segments = models.PositiveSmallIntegerField(null=True, help_text="How many short messages the carrier made of it")
    status = models.CharField(max_length=16, choices=[(s.value, s.value) for s in MessageStatus])
    failure = models.CharField(max_length=200, blank=True, help_text="Why it failed, or is not known to have arrived")
    carrier_message_id = models.CharField(max_length=100, blank=True)
    metadata = models.JSONField(default=dict)
    due_at = models.DateTimeField(null=True, help_text="When it is sent; only while it waits")
    handed_at = models.DateTimeField(null=True, help_text="When the carrier was asked, once; received: when it came")
    sent_at = models.DateTimeField(null=True, help_text="When the carrier had it")
    settled_at = models.DateTimeField(null=True, help_text="Delivered, or failed")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=[s.value for s in MessageStatus]), name="message_status_known"
            ),
            models.CheckConstraint(
                condition=(_INBOUND & Q(status=MessageStatus.RECEIVED.value))
                | (~_INBOUND & ~Q(status=MessageStatus.RECEIVED.value)),
                name="message_received_is_inbound",
            ),
            models.CheckConstraint(
                condition=(_QUEUED & Q(due_at__isnull=False, handed_at=None)) | (~_QUEUED & Q(due_at=None)),
                name="message_waits_while_queued",
            ),
            # A carrier knows a received message by its own id only; two reports of it must not make two rows.
            models.UniqueConstraint(
                fields=["line", "carrier_message_id"], condition=_INBOUND, name="message_inbound_once_per_carrier_id"
            ),
        ]
        indexes = [
            models.Index(fields=["workspace", "-id"], name="message_newest"),
            models.Index(fields=["contact", "-id"], name="message_newest_of_contact"),
            models.Index(fields=["workspace", "number", "-id"], name="message_by_number"),
            models.Index(fields=["due_at"], condition=_QUEUED, name="message_to_send"),
            models.Index(fields=["handed_at"], condition=_SENDING, name="message_being_sent"),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.status}"
