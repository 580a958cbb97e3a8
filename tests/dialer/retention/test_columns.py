"""Whoever adds a column that can hold a text says here, or in ``free_text``, how a forgotten contact leaves it."""

from django.apps import apps
from django.db.models import BinaryField, CharField, Field, JSONField, Model, TextField

from dialer.retention.tables import path_to_workspace

LONGER_THAN_A_CODE = 64

ERASED_BY_KEY = {
    "callbacks.Callback": "notes",
    "dialer.Call": "force metadata transcript recording_url analysis",
    "dialer.CarrierEvent": "facts raw",
    "dialer.Contact": "external_id name time_zone zones warnings status metadata",
    "dialer.Message": "body failure metadata",
    "webhooks.BatchItem": "body",
    "webhooks.Delivery": "body",
    "webhooks.DeliveryAttempt": "answer",
    "webhooks.Event": "body",
    "workspaces.IdempotentRequest": "body",
}
"""Columns that are erased or redacted because their row belongs to the contact."""
ABOUT_NOBODY = {
    # ids, codes, hashes, times, and texts that the product makes itself
    "callbacks.BulkAction": "refused actor_id actor_label",
    "callbacks.Callback": "time_zone explanation",
    "dialer.Call": "carrier_call_id inbound_id schedule config_webhooks",
    "dialer.CampaignContact": "end_reason",
    "dialer.CarrierEvent": "event_id carrier_call_id note",
    "dialer.ImportPart": "content",  # of a finished import, the names of its columns
    "dialer.ImportProblem": "column",
    "dialer.Message": "carrier_message_id",
    "webhooks.DeliveryAttempt": "url error_detail",
    "webhooks.Event": "type unique_key",
    "webhooks.Replay": "counts actor_id actor_label",
    "workspaces.AuditEntry": "actor_id actor_label agent verb object_type object_id",
    "workspaces.IdempotentRequest": "name fingerprint",
    # what an owner sets up
    "dialer.Campaign": (
        "name schedule contact_limits time_zone config_webhooks call_status_callback call_schedule_callback "
        "status_callback"
    ),
    "dialer.Line": "name caller_ids down_reason",
    "dialer.Persona": "name endpoint",
    "dialer.RetryPolicy": "name rules",
    "webhooks.Endpoint": "fingerprint name url description last_error",
    "workspaces.ApiKey": "name key_hash",
}


def test_every_column_that_can_hold_a_text_is_erased_searched_or_about_nobody() -> None:
    known = {
        f"{model}.{name}"
        for columns in (ERASED_BY_KEY, ABOUT_NOBODY)
        for model, names in columns.items()
        for name in names.split()
    }

    assert {name for model in apps.get_models() for name in texts_of(model)} == known


def texts_of(model: type[Model]) -> list[str]:
    """Return the columns of a workspace's table, or of carriers' reports, that hold texts and are not searched."""
    label, searched = model._meta.label, getattr(model, "free_text", ())  # noqa: SLF001 — Django documents it
    if path_to_workspace(model) is None and label != "dialer.CarrierEvent":
        return []
    return [
        f"{label}.{field.name}"
        for field in model._meta.concrete_fields  # noqa: SLF001
        if field.name not in searched and holds_a_text(field)
    ]


def holds_a_text(field: "Field[object, object]") -> bool:
    if isinstance(field, CharField):
        return not field.choices and (field.max_length or 0) >= LONGER_THAN_A_CODE
    return isinstance(field, TextField | JSONField | BinaryField)
