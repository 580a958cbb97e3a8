"""Imports: upload a CSV, follow how workers read it, and download its bad rows."""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from unfold.decorators import action
from unfold.widgets import UnfoldAdminFileFieldWidget

from dialer.campaigns import imports
from dialer.models import Campaign, Import
from dialer.rules.statuses import ImportStatus
from dialer.tasks import import_contacts
from dialer.workspaces.admin.base import its_own_words, workspaces_of
from dialer.workspaces.admin.columns import column
from dialer.workspaces.admin.forms import MadeOnceAdmin, WriteForm
from dialer.workspaces.admin.verbs import actor_of
from dialer.workspaces.clock import database_now
from dialer.workspaces.downloads import csv_file

STATUS_COLOURS = {
    ImportStatus.DONE.value: "success",
    ImportStatus.FAILED.value: "danger",
    ImportStatus.RUNNING.value: "warning",
    ImportStatus.WAITING.value: "info",
}
_UNDER_WAY = (ImportStatus.UPLOADING, ImportStatus.WAITING, ImportStatus.RUNNING)


class ImportForm(WriteForm):
    file = forms.FileField(
        widget=UnfoldAdminFileFieldWidget,
        help_text="CSV in UTF-8 with a header: phone (or number, mobile, …), name, time_zone, external_id; other "
        "columns are kept as metadata",
    )

    class Meta:
        model = Import
        fields = ("workspace", "campaign")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if "campaign" in self.fields:  # absent on the page of an existing import
            self.fields["campaign"].required = False

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        campaign, workspace = cleaned.get("campaign"), cleaned.get("workspace")
        if campaign and workspace and campaign.workspace_id != workspace.pk:
            self.add_error("campaign", "It belongs to another workspace.")
        return cleaned

    def write(self, about: Mapping[str, Any]) -> Import:
        file: UploadedFile[Any] = self.cleaned_data["file"]
        campaign: Campaign | None = self.cleaned_data["campaign"]
        return imports.receive(
            self.cleaned_data["workspace"].pk,
            file.chunks(),
            file_name=file.name or "",
            campaign_id=campaign.pk if campaign else None,
            **about,
        )


@admin.register(Import)
class ImportAdmin(MadeOnceAdmin):
    form = ImportForm
    refusals: ClassVar[Any] = {
        imports.FileTooLarge: its_own_words,
        imports.TooManyImports: lambda _: "the workspace has too many imports under way; wait for one to end",
    }
    ordering = ("-id",)
    sortable_by = ()
    list_display = (
        "__str__",
        "campaign",
        "state",
        "rows_read",
        "rows_good",
        "rows_duplicate",
        "rows_bad",
        "created_at",
    )
    list_filter = ("status",)
    list_select_related = ("campaign",)
    search_fields = ("id",)
    search_help_text = "Id of an import or campaign (imp_…, camp_…)"
    id_prefixes = {"id": "imp", "campaign_id": "camp"}
    actions = None
    actions_detail = ("bad_rows",)
    change_form_outer_before_template = "workspaces/admin/progress.html"
    asked = ("workspace", "campaign", "file")
    shown = (("file_name", "campaign"), ("state", "failure"), ("created_at", "finished_at"))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Take the workspace from the campaign in the link."""
        initial = super().get_changeform_initial_data(request)
        mine = Campaign.objects.visible_to(request.user).filter(workspace__in=workspaces_of(request))
        named = str(initial.get("campaign"))
        campaign = mine.filter(pk=named).first() if _is_uuid(named) else None
        if campaign is not None:
            initial |= {"workspace": campaign.workspace_id, "campaign": campaign.pk}
        return initial

    def save_model(self, request: HttpRequest, obj: Model, form: object, change: object) -> None:  # noqa: ARG002
        # Only speeds it up: if the message is lost, the sweep finds the row.
        transaction.on_commit(lambda: import_contacts.delay(str(obj.pk)), robust=True)

    def response_add(self, request: HttpRequest, obj: Model, post_url_continue: str | None = None) -> HttpResponse:  # noqa: ARG002
        self.message_user(request, "The file was uploaded and is being read.", messages.SUCCESS)
        return HttpResponseRedirect(self.url_of("change", obj.pk))

    def beside(self, request: HttpRequest, row: Import | None) -> dict[str, Any]:  # noqa: ARG002
        if row is None:
            return {}
        percent = round(100 * row.bytes_read / row.bytes_total, 1) if row.bytes_total else 0
        is_under_way = row.status in _UNDER_WAY
        progress = {
            "row": row,
            "percent": percent if is_under_way else 100,
            "is_under_way": is_under_way,
            "counts": (
                ("Rows read", row.rows_read),
                ("Good", row.rows_good),
                ("Known already", row.rows_duplicate),
                ("Bad", row.rows_bad),
            ),
            "failure": row.failure,
        }
        return {"progress": progress}

    @action(description="Download bad rows", icon="download", permissions=["view"])  # type: ignore[untyped-decorator]
    def bad_rows(self, request: HttpRequest, object_id: str) -> HttpResponse | StreamingHttpResponse:
        try:
            row = self.visible(request, object_id)
        except Import.DoesNotExist:
            return HttpResponse(status=404)
        problems = imports.download_problems(row, actor=actor_of(request), now=database_now())
        return csv_file(problems, name=f"{row.public_id}-bad-rows")

    @column("State", label=STATUS_COLOURS)
    def state(self, row: Import) -> str:
        return row.status


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
