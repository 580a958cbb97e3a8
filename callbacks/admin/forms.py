"""The forms of the queue's verbs, and the facts shown beside them."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import PermissionDenied
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from callbacks.models import Callback
from callbacks.rules.statuses import CallbackType
from callbacks.scheduling import Force, instant_of
from callbacks.verbs import Verb
from dialer.models import Call, Campaign, Contact, Persona
from dialer.rules.statuses import CAMPAIGN_OVER, CampaignStatus
from dialer.rules.waits import FORCEABLE
from dialer.workspaces.admin import verb_forms
from dialer.workspaces.admin.time_zone import on_clock, operator_zone
from dialer.workspaces.clock import database_now
from dialer.workspaces.ids import MalformedId, parse_public_id

MAY_FORCE = "callbacks.force_callback"
_MAY_PROMISE = "callbacks.change_callback"


class WallClockField(forms.Field):
    """A naive date and time; another field says on whose clock."""

    widget = UnfoldAdminTextInputWidget(attrs={"type": "datetime-local", "step": "60"})

    def to_python(self, value: object) -> datetime | None:
        try:
            read = datetime.fromisoformat(str(value)) if value else None
        except ValueError:
            read = datetime.min.replace(tzinfo=UTC)
        if read is not None and read.tzinfo is not None:
            message = "Enter a date and a time, such as 2025-03-14T09:30."
            raise forms.ValidationError(message)
        return read


def callback_of(form: verb_forms.VerbForm) -> Callback | None:
    """Return the row of a button's form; ``None`` for forms about many rows, or if the user may not see the row."""
    if not str(form.object_id).isdecimal():
        return None
    rows = Callback.objects.visible_to(form.request.user).select_related("contact")
    found: Callback | None = rows.filter(pk=form.object_id).first()
    return found


class ReasonForm(verb_forms.ReasonForm):
    """Asks for a reason, which the callback's history shows."""

    def given(self, row: Callback) -> dict[str, Any]:  # noqa: ARG002 — for forms that ask for more
        """Return the verb's arguments for one callback."""
        return {"reason": self.cleaned_data["reason"]}

    def kept(self) -> dict[str, Any]:
        """Return the verb's arguments as a bulk action stores them, ready for JSON."""
        return {"reason": self.cleaned_data["reason"]}


class EditForm(ReasonForm):
    """Edits persona and notes; for many callbacks an empty field changes nothing."""

    persona = forms.ModelChoiceField(
        queryset=Persona.objects.none(), required=False, widget=UnfoldAdminSelectWidget, empty_label="The campaign's"
    )
    notes = forms.CharField(required=False, max_length=2000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}))
    field_order = ("persona", "notes", "reason")

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        usable = Persona.objects.visible_to(self.request.user).filter(archived_at=None).order_by("name", "id")
        row = callback_of(self)
        if row is None:
            self.fields["persona"].empty_label = "As it is"
            self.fields["notes"].help_text = "If empty, each keeps its own"
        else:
            usable = usable.filter(workspace_id=row.workspace_id)
            if row.campaign_id is None:
                self.fields["persona"].empty_label = "As in the call before"
            self.fields["persona"].initial = row.assigned_persona_id
            self.fields["notes"].initial = row.notes
        self.fields["persona"].queryset = usable

    def given(self, row: Callback) -> dict[str, Any]:
        """Return both fields for one callback, whose form showed them filled in; for many only those filled in."""
        persona, notes = self.cleaned_data["persona"], self.cleaned_data["notes"]
        edits = {"persona_id": persona.pk if persona else None, "notes": notes}
        if self.object_id is None:
            edits = {name: value for name, value in edits.items() if value}
        return super().given(row) | edits

    def kept(self) -> dict[str, Any]:
        filled_in = {"persona_id": self.cleaned_data["persona"], "notes": self.cleaned_data["notes"]}
        return super().kept() | {name: str(getattr(value, "pk", value)) for name, value in filled_in.items() if value}


class ForceForm(ReasonForm):
    """Adds the fields of a force, for users who may force."""

    force = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanWidget,
        label="Force it",
        help_text="Past the calling window, the contact limit and a pause, for this one dial; needs a reason",
    )
    field_order: Sequence[str] = ("when", "clock", "force", "reason")

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        if not self.request.user.has_perm(MAY_FORCE, self.row()):
            if self.data.get("force"):
                # Our page does not offer the field; a request that sends it anyway is refused, not silently ignored.
                raise PermissionDenied
            del self.fields["force"]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("force") and not cleaned.get("reason"):
            self.add_error("reason", "Forcing needs a reason.")
        return cleaned

    def row(self) -> Callback | Call | None:
        """Return the row that the button is on; ``None`` for forms about many rows, or about none yet."""
        return callback_of(self)

    def needs(self) -> Sequence[str]:
        return (MAY_FORCE,) if self.cleaned_data.get("force") else ()

    def forced(self) -> Force | None:
        """Return the force, or ``None`` unless the user may force and ticked the box."""
        if not self.cleaned_data.get("force"):
            return None
        return Force(checks=frozenset(FORCEABLE), reason=self.cleaned_data["reason"])

    def given(self, row: Callback) -> dict[str, Any]:
        return super().given(row) | {"force": self.forced()}

    def kept(self) -> dict[str, Any]:
        force = self.forced()
        return super().kept() | ({"force": {"checks": sorted(force.checks), "reason": force.reason}} if force else {})

    def facts(self) -> Sequence[tuple[str, str]]:
        row = callback_of(self)
        if row is None:
            return ()
        now = database_now()
        theirs = zone_of(row)
        return (
            ("Contact", f"{row.contact.name or 'no name'} · {row.contact.phone}"),
            ("Their clock", on_clock(now, theirs, now=now)),
            ("Your clock", on_clock(now, operator_zone(), now=now)),
            ("Promised, their clock", on_clock(row.scheduled_at, theirs, now=now)),
            ("Promised, your clock", on_clock(row.scheduled_at, operator_zone(), now=now)),
        )


class RescheduleForm(ForceForm):
    """A time on the contact's clock or the operator's."""

    THEIRS, MINE = "theirs", "mine"

    when = WallClockField(label="Time")
    clock = forms.ChoiceField(
        label="On which clock",
        choices=[(THEIRS, "The contact's clock"), (MINE, "My clock")],
        initial=THEIRS,
        widget=UnfoldAdminRadioSelectWidget,
    )

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        mine = operator_zone()
        row = callback_of(self)
        theirs = f" ({zone_of(row)})" if row else ", for each contact its own"
        self.fields["clock"].choices = [
            (self.THEIRS, f"The contact's clock{theirs}"),
            (self.MINE, f"My clock ({mine.key})"),
        ]
        if row is not None:
            local = row.scheduled_at.astimezone(ZoneInfo(zone_of(row)))
            self.fields["when"].initial = local.strftime("%Y-%m-%dT%H:%M")

    def time(self) -> dict[str, Any]:
        """Return the time on the contact's clock, or as an instant."""
        when: datetime = self.cleaned_data["when"]
        if self.cleaned_data["clock"] == self.THEIRS:
            return {"local_time": when}
        return {"scheduled_at": instant_of(when, operator_zone().key)}

    def given(self, row: Callback) -> dict[str, Any]:
        zone = zone_of(row) if self.cleaned_data["clock"] == self.THEIRS else operator_zone().key
        instant = instant_of(self.cleaned_data["when"], zone).astimezone(UTC)
        return super().given(row) | {"scheduled_at": instant}

    def kept(self) -> dict[str, Any]:
        return super().kept() | {name: when.isoformat() for name, when in self.time().items()}


class NewCallbackForm(RescheduleForm):
    """A callback that an operator makes, or notes for a contact who requested it."""

    who = forms.CharField(
        label="Contact", widget=UnfoldAdminTextInputWidget, help_text="Number with + and country code, or id (ct_…)"
    )
    campaign = forms.ModelChoiceField(
        queryset=Campaign.objects.none(), required=False, widget=UnfoldAdminSelectWidget, empty_label="No campaign"
    )
    type = forms.ChoiceField(
        choices=[
            (CallbackType.CUSTOMER_REQUESTED.value, "The contact asked for it"),
            (CallbackType.MANUAL.value, "We decided it"),
        ],
        widget=UnfoldAdminRadioSelectWidget,
    )
    notes = forms.CharField(required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))
    replace = forms.BooleanField(
        required=False, widget=UnfoldBooleanWidget, label="In place of a retry that is pending"
    )
    field_order = ("who", "campaign", "type", "when", "clock", "notes", "replace", "force", "reason")

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        mine = (
            Campaign.objects.visible_to(self.request.user, _MAY_PROMISE).filter(status__in=_OPEN).order_by("name", "id")
        )
        self.fields["campaign"].queryset = mine
        self.fields["type"].initial = CallbackType.CUSTOMER_REQUESTED.value

    def clean_who(self) -> Contact:
        """Return the contact; if several have the number, the newest."""
        wanted = self.cleaned_data["who"].strip()
        rows = Contact.objects.visible_to(self.request.user, _MAY_PROMISE).filter(deleted_at=None)
        try:
            found = rows.filter(pk=parse_public_id(Contact.public_prefix, wanted))
        except MalformedId:
            found = rows.filter(phone=f"+{re.sub(r'[^0-9]', '', wanted)}")
        contact: Contact | None = found.order_by("-id").first()
        if contact is None:
            message = "There is no such contact."
            raise forms.ValidationError(message)
        return contact

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        campaign, contact = cleaned.get("campaign"), cleaned.get("who")
        if campaign and contact and campaign.workspace_id != contact.workspace_id:
            self.add_error("campaign", "The campaign belongs to another workspace than the contact.")
        if contact and not all(self.request.user.has_perm(needed, contact) for needed in self.needs()):
            self.add_error("force", "Your role in the contact's workspace does not allow it.")
        return cleaned


_OPEN = tuple(status for status in CampaignStatus if status not in CAMPAIGN_OVER)


def form_of(verb: Verb) -> type[ReasonForm]:
    """Return the form that asks for what a verb takes."""
    if "scheduled_at" in verb.takes:
        return RescheduleForm
    if "force" in verb.takes:
        return ForceForm
    return EditForm if verb.takes else ReasonForm


def zone_of(row: Callback) -> str:
    """Return the contact's zone, in which the page shows the row's time beside the operator's."""
    zones = row.contact.zones
    return row.time_zone or (zones[0] if zones else "UTC")
