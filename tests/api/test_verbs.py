"""What people do to callbacks and calls beside the five actions, over HTTP."""

from typing import Any

import pytest

from callbacks.models import Callback
from dialer.workspaces.models import AuditEntry
from tests.api.client import Answer, Api, error_of
from tests.api.queue_rows import make_callback, open_campaign, soon

pytestmark = pytest.mark.django_db


def conflict(answer: Answer) -> tuple[str, dict[str, Any]]:
    assert answer.status_code == 409, answer.content
    error = error_of(answer)
    return error["code"], error["details"]


class TestUndo:
    @pytest.mark.parametrize("verb", ["cancel", "skip", "complete"])
    def test_what_was_done_by_mistake_is_taken_back(self, verb: str) -> None:
        api = Api()
        callback = make_callback(open_campaign(api.workspace), at=soon(hours=5))
        api.post(f"callbacks/{callback.pk}/{verb}/")

        answer = api.post(f"callbacks/{callback.pk}/undo/", {"reason": "wrong row"})

        assert answer.status_code == 200, answer.content
        assert answer.json()["status"] == "pending"
        assert answer.json()["explanation"][-1]["code"] == "undone"
        assert Callback.objects.get(status="pending") == callback
        assert AuditEntry.objects.get(verb="undo").reason == "wrong row"

    def test_where_something_else_is_promised_the_conflict_names_it(self) -> None:
        api = Api()
        campaign = open_campaign(api.workspace)
        callback = make_callback(campaign, at=soon(hours=5))
        api.post(f"callbacks/{callback.pk}/cancel/")
        body = {"contact_id": callback.contact.public_id, "campaign_id": campaign.public_id}
        made = api.post("callbacks/", {**body, "scheduled_at": soon(hours=1).isoformat()}).json()

        assert conflict(api.post(f"callbacks/{callback.pk}/undo/")) == ("already_pending", {"callback_id": made["id"]})

    def test_what_was_cancelled_with_its_number_is_not_taken_back_by_hand(self) -> None:
        api = Api(scope="admin")
        callback = make_callback(open_campaign(api.workspace), at=soon(hours=5))
        entry = api.post("suppressions/", {"phone": callback.contact.phone, "reason": "manual"}).json()

        assert conflict(api.post(f"callbacks/{callback.pk}/undo/"))[0] == "contact_suppressed"
        api.delete(f"suppressions/{entry['id']}/", {"reason": "mistake"})
        assert conflict(api.post(f"callbacks/{callback.pk}/undo/")) == ("not_undoable", {"why": "not_by_hand"})

    def test_a_pending_callback_has_nothing_to_be_taken_back(self) -> None:
        api = Api()
        callback = make_callback(open_campaign(api.workspace), at=soon(hours=5))

        assert conflict(api.post(f"callbacks/{callback.pk}/undo/"))[1]["from"] == "pending"
