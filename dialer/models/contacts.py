"""Contacts, suppressions and imports."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from dialer.rules.statuses import ImportStatus
from dialer.workspaces.encryption import EncryptedTextField
from dialer.workspaces.models import Owned, PublicId, Workspace

E164 = r"^\+[0-9]{7,15}$"


class Contact(Owned, PublicId):
    """A person with a phone number and a time zone."""

    public_prefix = "ct"

    # The indexes below begin with it.
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+", db_index=False)
    external_id = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001 — absent is not the empty text
    name = models.CharField(max_length=200, blank=True)
    phone = models.CharField(max_length=16, help_text="E.164: + and 7 to 15 digits")
    time_zone = models.CharField(max_length=64, blank=True, help_text="IANA name; empty: derived from the number")
    zones = models.JSONField(default=list, editable=False, help_text="Zones the window is judged in")
    timezone_source = models.CharField(max_length=16, blank=True, editable=False)
    warnings = models.JSONField(default=list, blank=True, editable=False)
    status = models.CharField(max_length=64, blank=True, editable=False, help_text="What the last analysis meant")
    metadata = models.JSONField(default=dict, blank=True)
    deleted_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "external_id"], name="contact_external_id_unique"),
            models.CheckConstraint(
                condition=Q(phone__regex=E164) | Q(deleted_at__isnull=False), name="contact_phone_e164"
            ),
        ]
        indexes = [
            models.Index(fields=["workspace", "phone", "-id"], name="contact_by_phone"),
            GinIndex(SearchVector("name", config="simple"), name="contact_words_of_name"),
            models.Index(fields=["workspace", "-id"], name="contact_newest"),
        ]

    def __str__(self) -> str:
        return self.name or self.phone


class Suppression(Owned, PublicId):
    """A do-not-call entry for a number, workspace-wide; holds only a keyed hash once the contact is forgotten."""

    public_prefix = "sup"

    phone = models.CharField(max_length=40, help_text="E.164, or # and the keyed hash of a forgotten number")
    reason = models.CharField(max_length=64, default="manual", help_text="dnc_request, manual, import, stop_message")
    source = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    free_text = ("reason", "source")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "phone"], name="suppression_once_per_number"),
            models.CheckConstraint(
                condition=Q(phone__regex=E164) | Q(phone__regex=r"^#[0-9a-f]{32}$"), name="suppression_phone_known"
            ),
        ]
        indexes = [models.Index(fields=["workspace", "-id"], name="suppression_newest")]

    def __str__(self) -> str:
        return self.number or "a forgotten number"

    @property
    def number(self) -> str | None:
        """The number, ``None`` if it was forgotten with its contact."""
        return None if self.phone.startswith("#") else self.phone


class Import(Owned, PublicId):
    """One CSV of contacts: its progress, its counts, and its failure.

    The database stores the file in parts, so that any worker on any host can continue after another was killed.
    """

    public_prefix = "imp"

    campaign = models.ForeignKey("dialer.Campaign", on_delete=models.CASCADE, null=True, related_name="imports")
    file_name = models.CharField(max_length=255, blank=True)
    status = models.CharField(
        max_length=16, choices=[(s.value, s.value) for s in ImportStatus], default=ImportStatus.UPLOADING.value
    )
    bytes_total = models.BigIntegerField(default=0)
    bytes_read = models.BigIntegerField(default=0)
    lines_read = models.PositiveIntegerField(default=0)
    rows_read = models.PositiveIntegerField(default=0)
    rows_good = models.PositiveIntegerField(default=0)
    rows_duplicate = models.PositiveIntegerField(default=0)
    rows_bad = models.PositiveIntegerField(default=0)
    failure = models.CharField(max_length=500, blank=True)
    lease_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    free_text = ("file_name", "failure")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(status__in=[s.value for s in ImportStatus]), name="import_status_known")
        ]
        indexes = [
            models.Index(fields=["workspace", "-id"], name="import_newest"),
            models.Index(fields=["id"], condition=Q(status__in=["waiting", "running"]), name="import_open"),
        ]

    def __str__(self) -> str:
        return self.file_name or self.public_id


class ImportPart(models.Model):
    """A stretch of the uploaded bytes, in order."""

    source = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "number"], name="import_part_once")]

    def __str__(self) -> str:
        return f"part {self.number}"


class ImportProblem(models.Model):
    """A bad row of an import, for the file of bad rows."""

    source = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="problems")
    line = models.PositiveIntegerField()
    column = models.CharField(max_length=100, blank=True)
    reason = models.CharField(max_length=300)
    row = models.JSONField(default=list)

    free_text = ("reason", "row")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "line"], name="import_problem_once_per_line")]

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


class Erasure(Owned):
    """A deleted contact whose traces are erased in steps; ``dialer.retention.erasure`` does them and repeats them."""

    id = models.BigAutoField(primary_key=True)
    contact = models.OneToOneField(Contact, on_delete=models.CASCADE, related_name="+")
    person = EncryptedTextField(null=True, help_text="How texts may name the contact; dropped once they are searched")
    due_at = models.DateTimeField(null=True, help_text="When the next step may begin; empty once all are done")
    created_at = models.DateTimeField()
    searched_at = models.DateTimeField(null=True, help_text="When everything known by then was erased")
    done_at = models.DateTimeField(null=True, help_text="When what came late was erased too")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(searched_at=None) | Q(person=None), name="erasure_forgets_the_person_it_searched"
            ),
            models.CheckConstraint(
                condition=Q(due_at=None, done_at__isnull=False) | Q(due_at__isnull=False, done_at=None),
                name="erasure_due_until_done",
            ),
        ]
        indexes = [models.Index(fields=["due_at"], condition=Q(done_at=None), name="erasure_due")]

    def __str__(self) -> str:
        return f"erasure of {self.contact.public_id}"
