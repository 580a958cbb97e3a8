"""Contacts, suppressions and campaign contacts."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextareaWidget

from dialer.calls.hashed_numbers import forms_of
from dialer.contacts import contacts, suppressions
from dialer.contacts.contacts import ContactOnACall
from dialer.contacts.finding import MOST_FOUND, matching
from dialer.models import Call, CampaignContact, Contact, Message, Suppression
from dialer.rules import phone_number
from dialer.rules.schedule_settings import InvalidSettings
from dialer.rules.statuses import ContactState
from dialer.workspaces.admin.base import ReadOnlyAdmin, its_own_words, linked
from dialer.workspaces.admin.columns import column
from dialer.workspaces.admin.forms import MadeOnceAdmin, WriteForm, WritingAdmin
from dialer.workspaces.admin.verb_forms import ReasonForm
from dialer.workspaces.admin.verbs import about, actor_of, bulk, verb
from dialer.workspaces.clock import database_now

STATE_COLOURS = {
    ContactState.WAITING.value: "info",
    ContactState.CALLING.value: "warning",
    ContactState.CALLBACK_PENDING.value: "info",
    ContactState.REACHED.value: "success",
    ContactState.EXHAUSTED.value: "warning",
    ContactState.INVALID.value: "danger",
    ContactState.SUPPRESSED.value: "danger",
}


def found_by(request: HttpRequest, wanted: str) -> list[UUID]:
    """Return the ids of contacts that match, at most a fixed number of them, to search for their rows.

    A separate query, because with a join the planner would walk the rows in order and compare the name in each.
    """
    rows = Contact.objects.visible_to(request.user)
    return list(matching(rows, wanted).values_list("pk", flat=True)[:MOST_FOUND])


class ContactForm(WriteForm):
    invalid = (InvalidSettings,)

    class Meta:
        model = Contact
        fields = ("workspace", "name", "phone", "time_zone", "external_id", "metadata")

    def write(self, about: Mapping[str, Any]) -> Contact:
        given = {name: value for name, value in self.cleaned_data.items() if name != "workspace"}
        given["metadata"] = given["metadata"] or {}
        if self.is_new:
            return contacts.create(self.cleaned_data["workspace"].pk, **about, **given)[0]
        return contacts.edit(self.instance.pk, workspace_id=self.instance.workspace_id, **about, **given)


@admin.register(Contact)
class ContactAdmin(WritingAdmin):
    form = ContactForm
    ordering = ("-id",)
    sortable_by = ()
    list_display = ("who", "clock", "external_id", "doubts", "created_at")
    search_fields = ("name", "phone")
    search_help_text = "Name, whole number, or id (ct_…)"
    id_prefixes = {"id": "ct"}
    readonly_fields = ("public_id", "clock", "doubts", "status", "created_at")
    fieldsets = (
        (None, {"fields": ("workspace", ("name", "phone"), ("time_zone", "clock"), "external_id", "public_id")}),
        ("More", {"classes": ("collapse",), "fields": ("metadata", ("doubts", "status"), "created_at")}),
    )
    actions = ("suppress_selected",)
    actions_detail = ("suppress", "forget")
    refusals: ClassVar[Any] = {ContactOnACall: its_own_words}
    permissions: ClassVar[Mapping[str, str]] = {"suppress": "dialer.add_suppression"}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Contact]:
        rows: QuerySet[Contact] = super().get_queryset(request)
        return rows.filter(deleted_at=None)

    def search(self, request: HttpRequest, queryset: QuerySet[Any], wanted: str) -> QuerySet[Any]:  # noqa: ARG002
        return matching(queryset, wanted)

    @verb(
        "Do not call",
        asks="Stops the number in every campaign and withdraws its queued calls.",
        does="Suppress",
        icon="phone_disabled",
        permission="suppress",
        form=ReasonForm,
    )
    def suppress(self, request: HttpRequest, form: ReasonForm, row: Contact) -> str:
        done = _suppress(request, row, form)
        return f"{row.phone} is not called any more; {done.withdrawn} queued calls withdrawn."

    @verb(
        "Forget",
        asks="Erases name, number, transcripts and recordings, and cancels queued calls. This cannot be undone.",
        does="Forget the contact",
        icon="delete",
        permission="act",
        form=ReasonForm,
        variant=ActionVariant.DANGER,
        then="changelist",
    )
    def forget(self, request: HttpRequest, form: ReasonForm, row: Contact) -> str:
        contacts.delete(row.pk, **about(request, row, form))
        return "The contact is forgotten."

    @bulk(
        "Do not call",
        asks="Stops the numbers in every campaign and withdraws their queued calls.",
        does="Suppress",
        did="suppressed",
        form=ReasonForm,
        permission="suppress",
    )
    def suppress_selected(self, request: HttpRequest, form: ReasonForm, row: Contact) -> None:
        _suppress(request, row, form)

    def has_suppress_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return self.allows(request, "suppress", obj)

    @column("Contact", header=True)
    def who(self, row: Contact) -> list[str]:
        return [row.name or "No name", row.phone]

    @column("Clock", header=True)
    def clock(self, row: Contact) -> list[str]:
        zones = row.zones
        more = f" and {len(zones) - 1} more" if len(zones) > 1 else ""
        return [f"{zones[0]}{more}" if zones else "not known", f"from {row.timezone_source}".replace("_", " ")]

    @column("Doubts")
    def doubts(self, row: Contact) -> str:
        return ", ".join(str(doubt).replace("_", " ") for doubt in row.warnings)


def _suppress(request: HttpRequest, row: Contact, form: ReasonForm) -> suppressions.Added:
    return suppressions.add(
        row.workspace_id,
        [row.phone],
        reason="manual",
        source=form.cleaned_data["reason"][:200],
        why=form.cleaned_data["reason"],
        actor=actor_of(request),
        now=database_now(),
    )


class SuppressionForm(WriteForm):
    invalid = (InvalidSettings,)
    phones = forms.CharField(
        label="Numbers",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
        help_text="With + and country code, one per line",
    )

    class Meta:
        model = Suppression
        fields = ("workspace", "source")

    def clean_phones(self) -> list[str]:
        read, bad = [], []
        for text in filter(None, (line.strip() for line in self.cleaned_data["phones"].splitlines())):
            try:
                read.append(phone_number.parse(text))
            except ValueError as refused:
                bad.append(f"{text} {refused}")
        if bad:
            raise forms.ValidationError(bad)
        return read

    def write(self, about: Mapping[str, Any]) -> Suppression:
        workspace = self.cleaned_data["workspace"]
        phones = self.cleaned_data["phones"]
        suppressions.add(workspace.pk, phones, reason="manual", source=self.cleaned_data["source"], **about)
        found: Suppression = (
            Suppression.objects.in_workspace(workspace.pk).filter(phone__in=forms_of(phones)).latest("id")
        )
        return found


@admin.register(Suppression)
class SuppressionAdmin(MadeOnceAdmin):
    form = SuppressionForm
    ordering = ("-id",)
    sortable_by = ()
    list_display = ("__str__", "reason", "source", "created_at")
    search_fields = ("phone",)
    search_help_text = "Whole number, or id (sup_…)"
    id_prefixes = {"id": "sup"}
    actions = ("lift_selected",)
    actions_detail = ("lift",)
    asked = ("workspace", "phones", "source")
    shown = ("workspace", "number", "reason", "source", "created_at")
    permissions: ClassVar[Mapping[str, str]] = {"act": "dialer.delete_suppression"}

    def search(self, request: HttpRequest, queryset: QuerySet[Any], wanted: str) -> QuerySet[Any]:  # noqa: ARG002
        digits = re.sub(r"[^0-9]", "", wanted)
        return queryset.filter(phone__in=forms_of([f"+{digits}", f"+{digits.removeprefix('00')}"]))

    @verb(
        "Lift",
        asks="The number may be called again. Withdrawn calls stay withdrawn.",
        does="Lift",
        icon="phone_enabled",
        permission="act",
        form=ReasonForm,
        then="changelist",
    )
    def lift(self, request: HttpRequest, form: ReasonForm, row: Suppression) -> str:
        _lift(request, form, row)
        return f"{row} may be called again."

    @bulk("Lift", asks="The numbers may be called again.", does="Lift", did="lifted", form=ReasonForm)
    def lift_selected(self, request: HttpRequest, form: ReasonForm, row: Suppression) -> None:
        _lift(request, form, row)


def _lift(request: HttpRequest, form: ReasonForm, row: Suppression) -> None:
    if not suppressions.remove(row, actor=actor_of(request), reason=form.cleaned_data["reason"], now=database_now()):
        raise Suppression.DoesNotExist


class OfAContactAdmin(ReadOnlyAdmin):
    """Rows that belong to a contact: searched by its name or number, and linked to it."""

    ordering = ("-id",)
    sortable_by = ()
    search_fields = ("contact__name", "contact__phone")
    no_campaign = "No campaign"

    def search(self, request: HttpRequest, queryset: QuerySet[Any], wanted: str) -> QuerySet[Any]:
        return queryset.filter(contact_id__in=found_by(request, wanted))

    @column("Contact")
    def contact_linked(self, row: CampaignContact | Call | Message) -> str:
        return linked("dialer_contact", row.contact_id, row.contact)

    @column("Campaign")
    def campaign_linked(self, row: CampaignContact | Call | Message) -> str:
        return linked("dialer_campaign", row.campaign_id, row.campaign) if row.campaign else self.no_campaign


class OfANumberAdmin(OfAContactAdmin):
    """Calls and messages: rows of a contact and one number."""

    @column("Contact", header=True)
    def who(self, row: Call | Message) -> list[str]:
        return [row.contact.name or "No name", row.number]


@admin.register(CampaignContact)
class CampaignContactAdmin(OfAContactAdmin):
    """Contacts of campaigns, each with its state."""

    list_display = ("who", "campaign", "state_now", "result", "end_reason", "due_at", "ended_at")
    list_select_related = ("contact", "campaign")
    search_help_text = "Name, whole number, or id of a contact, campaign or chain (ct_…, camp_…, chn_…)"
    id_prefixes = {"contact_id": "ct", "campaign_id": "camp", "id": "chn"}
    fields = (("contact_linked", "campaign_linked"), ("state_now", "result", "end_reason"), ("due_at", "ended_at"))

    @column("Contact", header=True)
    def who(self, row: CampaignContact) -> list[str]:
        return [row.contact.name or "No name", row.contact.phone]

    @column("State", label=STATE_COLOURS)
    def state_now(self, row: CampaignContact) -> tuple[str, str]:
        return row.state, row.state.replace("_", " ")
