"""Calls and carrier reports."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from dialer.models.campaigns import Campaign, CampaignContact
from dialer.models.contacts import Contact
from dialer.models.resources import Line, Persona
from dialer.rules.statuses import LIVE, CallStatus, Direction, Outcome, Rank
from dialer.workspaces.ids import public_id
from dialer.workspaces.models import Owned, PublicId, Workspace

_QUEUED = Q(status=CallStatus.QUEUED.value)
_LIVE_OUTBOUND = Q(status__in=[s.value for s in LIVE], direction=Direction.OUTBOUND.value)
_INBOUND = Q(direction=Direction.INBOUND.value)


class Call(Owned, PublicId):
    """One attempt to reach one contact on one number, or one received call; the queued rows are the dialer's queue."""

    public_prefix = "call"

    # The indexes below begin with these columns; another index per foreign key would slow down every write.
    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    direction = models.CharField(
        max_length=8, choices=[(d.value, d.value) for d in Direction], default=Direction.OUTBOUND.value
    )
    contact = models.ForeignKey(
        Contact, on_delete=models.PROTECT, related_name="calls", db_constraint=False, db_index=False
    )
    campaign = models.ForeignKey(
        Campaign, on_delete=models.PROTECT, null=True, related_name="calls", db_constraint=False, db_index=False
    )
    campaign_contact = models.ForeignKey(
        CampaignContact,
        on_delete=models.PROTECT,
        null=True,
        related_name="calls",
        db_constraint=False,
        db_index=False,
    )
    persona = models.ForeignKey(
        Persona, on_delete=models.PROTECT, related_name="calls", db_constraint=False, db_index=False
    )
    line = models.ForeignKey(Line, on_delete=models.PROTECT, related_name="calls", db_constraint=False, db_index=False)
    number = models.CharField(max_length=16, help_text="The number dialled; the contact's at hand-over")
    caller_id = models.CharField(max_length=32, blank=True)

    chain_id = models.UUIDField(help_text="The campaign contact, or the first call where there is no campaign")
    attempt_number = models.PositiveIntegerField(default=1)
    retries_used = models.PositiveIntegerField(
        default=0, help_text="Automatic callbacks of the chain used up, this one too"
    )

    status = models.CharField(
        max_length=16, choices=[(s.value, s.value) for s in CallStatus], default=CallStatus.QUEUED.value
    )
    outcome = models.CharField(max_length=16, blank=True, choices=[(o.value, o.value) for o in Outcome])
    ended_reason = models.CharField(max_length=32, blank=True)
    rank = models.SmallIntegerField(default=Rank.NEW.value)
    due_at = models.DateTimeField(help_text="When the dispatcher next looks")
    not_after = models.DateTimeField(null=True, help_text="Later than this it waits for a person (stale)")
    held_reason = models.CharField(max_length=32, blank=True, help_text="Why it was last put back")
    force = models.JSONField(null=True, help_text="Checks that one dial may pass, with the reason")

    generation = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    queued_at = models.DateTimeField(db_default=Now())
    dialing_at = models.DateTimeField(null=True, help_text="Handed to the carrier; inbound: when it rang us")
    ringing_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    check_at = models.DateTimeField(null=True, help_text="When a live call is next looked up at its carrier")
    carrier_call_id = models.CharField(max_length=100, blank=True)
    inbound_id = models.CharField(  # noqa: DJ001 — null is not unique
        max_length=100,
        null=True,
        help_text="Inbound: the carrier's id again, unique on its line. Were carrier_call_id in an index, to note an "
        "outbound call's would be a write to all of them",
    )
    duration_seconds = models.PositiveIntegerField(null=True)
    dnc_requested_at = models.DateTimeField(
        null=True, help_text="When the contact asked, in this call, not to be called"
    )
    person_confirmed_at = models.DateTimeField(
        null=True, help_text="When somebody said that it was a person, no machine, who answered"
    )
    cancel_requested_at = models.DateTimeField(null=True, help_text="When somebody cancelled it")
    hang_up_at = models.DateTimeField(null=True, help_text="When a worker next asks the carrier to hang up")
    settled_at = models.DateTimeField(
        null=True, help_text="When a person ended the chain while the call was live: nothing follows it"
    )
    handled_at = models.DateTimeField(null=True, help_text="When a person dealt with an unknown end")

    schedule = models.JSONField(default=dict, help_text="Settings of the call itself")
    config_webhooks = models.JSONField(null=True)
    metadata = models.JSONField(default=dict)
    transcript = models.TextField(null=True)  # noqa: DJ001 — unknown is not the empty transcript
    recording_url = models.CharField(max_length=2000, null=True)  # noqa: DJ001 — unknown is not empty
    analysis = models.JSONField(null=True)
    follow_up_pending = models.BooleanField(default=False, help_text="Ended, and what follows is not decided yet")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(status__in=[s.value for s in CallStatus]), name="call_status_known"),
            models.CheckConstraint(
                condition=(Q(status="ended") & ~Q(outcome="") & Q(ended_at__isnull=False))
                | (~Q(status="ended") & Q(outcome="") & Q(ended_at=None)),
                name="call_ended_has_outcome",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=[s.value for s in LIVE]) | Q(dialing_at__isnull=False),
                name="call_live_was_handed_over",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["queued"]) | Q(lease_until=None), name="call_lease_only_while_queued"
            ),
            models.UniqueConstraint(
                fields=["workspace", "number"], condition=_LIVE_OUTBOUND, name="call_one_live_per_number"
            ),
            models.UniqueConstraint(fields=["contact"], condition=_LIVE_OUTBOUND, name="call_one_live_per_contact"),
            models.UniqueConstraint(
                fields=["campaign_contact"], condition=_QUEUED, name="call_one_queued_per_campaign_contact"
            ),
            # A carrier knows an inbound call by its own id only; two reports of it must not make two rows.
            models.UniqueConstraint(
                fields=["line", "inbound_id"],
                condition=Q(inbound_id__isnull=False),
                name="call_inbound_once_per_carrier_id",
            ),
        ]
        indexes = [
            models.Index(
                fields=["workspace", "campaign", "rank", "due_at", "id"],
                condition=_QUEUED & Q(lease_until=None),
                name="call_claimable",
            ),
            models.Index(fields=["lease_until"], condition=Q(lease_until__isnull=False), name="call_leased"),
            models.Index(fields=["check_at"], condition=Q(status__in=[s.value for s in LIVE]), name="call_to_check"),
            models.Index(fields=["hang_up_at"], condition=Q(hang_up_at__isnull=False), name="call_to_hang_up"),
            models.Index(
                fields=["workspace", "number", "dialing_at"], condition=Q(dialing_at__isnull=False), name="call_ledger"
            ),
            models.Index(
                fields=["workspace", "dialing_at"], condition=Q(dialing_at__isnull=False), name="call_by_time"
            ),
            models.Index(fields=["chain_id", "attempt_number"], name="call_chain"),
            models.Index(fields=["workspace", "-id"], name="call_newest"),
            models.Index(fields=["campaign", "-id"], name="call_newest_of_campaign"),
            models.Index(fields=["contact", "-id"], name="call_newest_of_contact"),
            models.Index(
                fields=["workspace", "-id"], condition=Q(outcome="unknown", handled_at=None), name="call_needs_a_person"
            ),
            models.Index(fields=["id"], condition=Q(follow_up_pending=True), name="call_undecided"),
            # Finds contacts on inbound calls, who must not be dialled; a small index that outbound calls never write.
            models.Index(
                fields=["workspace", "number"],
                condition=_INBOUND & Q(status__in=[s.value for s in LIVE]),
                name="call_inbound_live",
            ),
            models.Index(fields=["workspace", "-id"], condition=_INBOUND, name="call_newest_inbound"),
            # Retention finds old talks in it; a call enters it when it ends after a talk.
            models.Index(
                fields=["workspace", "ended_at"],
                condition=Q(transcript__isnull=False) | Q(recording_url__isnull=False) | Q(analysis__isnull=False),
                name="call_with_talk",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.outcome or self.status}"

    @property
    def is_hanging_up(self) -> bool:
        return self.status in LIVE and self.cancel_requested_at is not None

    @property
    def conversation_id(self) -> str:
        return public_id("conv", self.id)


class CarrierEvent(models.Model):
    """A carrier's report as it came: stored first, applied later, kept as evidence."""

    line_carrier = models.CharField(max_length=32)
    line_id = models.UUIDField(
        null=True, help_text="The line whose account reported; empty for a carrier of the whole installation"
    )
    event_id = models.CharField(max_length=100, help_text="The carrier's id of this report")
    call_id = models.UUIDField(null=True, help_text="Ours, as the report gives it")
    carrier_call_id = models.CharField(max_length=100, blank=True)
    kind = models.CharField(max_length=16)
    occurred_at = models.DateTimeField()
    facts = models.JSONField(default=dict)
    raw = models.JSONField(default=dict)
    received_at = models.DateTimeField(db_default=Now())
    applied_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=200, blank=True, help_text="Why it changed nothing, where it did not")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["line_carrier", "line_id", "event_id"], nulls_distinct=False, name="carrier_event_once"
            )
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(applied_at=None), name="carrier_event_to_apply"),
            models.Index(fields=["call_id", "id"], name="carrier_event_of_call"),
            # Reports of calls that came in name no call of ours; outbound calls never write this index.
            models.Index(
                fields=["line_carrier", "carrier_call_id"],
                condition=Q(call_id=None),
                name="carrier_event_of_caller",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.event_id}"
