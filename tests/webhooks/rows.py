"""Rows of webhooks for tests, like :mod:`tests.factories`."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from dialer.workspaces.models import Workspace
from tests.factories import make_workspace
from webhooks.models import Delivery, Endpoint, Event
from webhooks.outbox import NewEvent, record_events

NOW = datetime(2025, 1, 15, 10, 30, tzinfo=UTC)
SECRET = "a secret of the receiver"  # noqa: S105


def make_endpoint(workspace: Workspace | None = None, **fields: Any) -> Endpoint:
    fields.setdefault("name", "CRM")
    fields.setdefault("url", "http://127.0.0.1:9/hook")
    fields.setdefault("events", ["*"])
    fields.setdefault("secret", SECRET)
    endpoint: Endpoint = Endpoint.objects.create(workspace=workspace or make_workspace(), **fields)
    return endpoint


def new_event(workspace: Workspace, **fields: Any) -> NewEvent:
    fields.setdefault("type", "call.ended")
    fields.setdefault("occurred_at", NOW)
    fields.setdefault("data", {"job_id": "call_1"})
    return NewEvent(workspace_id=workspace.id, **fields)


def record(*events: NewEvent, now: datetime = NOW) -> list[UUID]:
    with transaction.atomic():
        return record_events(events, now=now)


def make_delivery(endpoint: Endpoint, *, now: datetime = NOW, **fields: Any) -> Delivery:
    """Record an event that the endpoint hears and return its delivery to it."""
    (event_id,) = record(new_event(endpoint.workspace, **fields), now=now)
    delivery: Delivery = Delivery.objects.get(endpoint=endpoint, event=event_id)
    return delivery


def event_of(delivery: Delivery) -> Event:
    """Return the event of a delivery that is no batch."""
    assert delivery.event is not None
    return delivery.event
