"""A test shows a receiver what it will get: every sample is as the published schemas say."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from dialer.workspaces.ids import public_id
from tests.contracts.schemas import faults
from webhooks.rules.envelope import Envelope, render
from webhooks.rules.samples import sample, sample_item
from webhooks.rules.statuses import EVENT_TYPES, TEST_EVENT, BatchType

AT = datetime(2025, 1, 15, 10, 30, tzinfo=UTC)
ID = UUID(int=7)


@pytest.mark.parametrize("event_type", [name for name in EVENT_TYPES if name != TEST_EVENT])
def test_a_sample_is_as_its_schema_says(event_type: str) -> None:
    said = sample(event_type, at=AT)
    body = render(
        Envelope(
            event=event_type,
            event_id=public_id("evt", ID),
            workspace_id=public_id("ws", ID),
            occurred_at=AT,
            data=said.data,
            metadata={"test": True},
            top_level=said.top_level,
            chain_id=public_id("chn", ID) if said.has_chain else None,
            sequence=1 if said.has_chain else None,
        )
    )

    assert faults(f"envelope/{event_type}", json.loads(body)) == []


@pytest.mark.parametrize(
    ("change", "status"),
    [("scheduled", "pending"), ("cancelled", "cancelled"), ("completed", "completed"), ("expired", "expired")],
)
def test_a_sample_of_a_callback_has_the_status_that_its_event_leaves(change: str, status: str) -> None:
    assert sample(f"callback.{change}", at=AT).data["status"] == status


@pytest.mark.parametrize("batch_type", list(BatchType))
def test_a_sample_of_an_array_is_as_its_schema_says(batch_type: BatchType) -> None:
    assert faults(f"batch/{batch_type}", [sample_item(batch_type, ID, at=AT)]) == []
