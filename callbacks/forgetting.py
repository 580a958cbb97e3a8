"""Erases what people wrote about the callbacks of a contact that is forgotten."""

from uuid import UUID

from callbacks.models import Callback
from dialer.workspaces.audit import erase_texts


def forget_texts(contact_id: UUID, *, workspace_id: UUID) -> None:
    """Erase notes, and texts in the audit, in the caller's transaction; when and why a callback was made stays."""
    mine = Callback.objects.in_workspace(workspace_id).filter(contact_id=contact_id)
    mine.exclude(notes="").update(notes="")
    erase_texts(workspace_id, "callback", [str(pk) for pk in mine.values_list("pk", flat=True)])
