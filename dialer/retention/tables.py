"""The tables of the product: how each row leads to its workspace."""

from functools import cache

from django.db.models import ForeignKey, Model

from dialer.workspaces.models import Workspace


@cache
def path_to_workspace(model: type[Model]) -> str | None:
    """Return the lookup from a row to its workspace, such as ``source__workspace``; ``None`` if it has none."""
    keys = [field for field in model._meta.concrete_fields if isinstance(field, ForeignKey)]  # noqa: SLF001 — Django documents it
    for key in keys:
        if key.related_model is Workspace:
            return str(key.name)
    for key in keys:
        above = path_to_workspace(key.related_model) if isinstance(key.related_model, type) else None
        if above is not None and key.related_model is not model:
            return f"{key.name}__{above}"
    return None
