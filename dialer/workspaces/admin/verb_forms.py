"""The dialogs of verbs."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.http import HttpRequest
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget


class VerbForm(BaseDialogForm):  # type: ignore[misc] # unfold has no types
    """The input of a verb; if the verb refuses, the dialog stays open with the reason on top."""

    form_before_template = "workspaces/admin/verb_form_top.html"
    dialog: ClassVar[dict[str, Any]]

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        self.refused = ""

    def get_before_template_context(self, request: HttpRequest, object_id: object = None) -> dict[str, Any]:  # noqa: ARG002 — unfold's signature
        return {"form": self, "facts": self.facts()}

    def needs(self) -> Sequence[str]:
        """Return the permissions that the input needs, beyond that of the verb."""
        return ()

    def facts(self) -> Sequence[tuple[str, str]]:
        """Return what to show above the fields: pairs of a name and a text."""
        return ()


class ReasonForm(VerbForm):
    """Asks for a reason, for the audit."""

    reason = forms.CharField(required=False, max_length=500, widget=UnfoldAdminTextInputWidget)
