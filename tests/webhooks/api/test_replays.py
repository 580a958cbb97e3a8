"""Replays over HTTP: asked for, followed, stopped."""

from datetime import timedelta
from typing import Any

import pytest

from tests.api.client import Api, error_of
from tests.webhooks.rows import NOW, make_delivery, make_endpoint
from webhooks.models import Delivery, Endpoint, Replay

pytestmark = pytest.mark.django_db

SINCE = (NOW - timedelta(hours=1)).isoformat()


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def endpoint(api: Api) -> Endpoint:
    made = make_endpoint(api.workspace)
    for status in ("failed", "failed", "suppressed", "delivered"):
        delivery = make_delivery(made)
        Delivery.objects.filter(pk=delivery.pk).update(status=status, settled_at=NOW)
    return made


def test_a_replay_is_a_job_that_says_what_was_found(api: Api, endpoint: Endpoint) -> None:
    asked = api.post(f"webhooks/{endpoint.public_id}/replay/", {"since": SINCE})

    assert asked.status_code == 202, asked.content
    job = asked.json()
    assert (job["status"], job["total"], job["replayed"]) == ("running", 3, 0)
    assert job["found"] == {"failed": 2, "suppressed": 1}
    assert job["webhook_id"] == endpoint.public_id
    assert api.get(f"webhooks/replays/{job['id']}/").json() == job
    assert api.get("webhooks/replays/", webhook_id=endpoint.public_id).json()["results"] == [job]
    other = make_endpoint(api.workspace)
    assert api.get("webhooks/replays/", webhook_id=other.public_id).json()["results"] == []
    assert api.get("webhooks/replays/", status="done").json()["results"] == []


def test_a_dry_run_is_done_at_once(api: Api, endpoint: Endpoint) -> None:
    body = {"since": SINCE, "statuses": ["delivered"], "events": ["call.ended"], "dry_run": True}

    job = api.post(f"webhooks/{endpoint.public_id}/replay/", body).json()

    assert (job["status"], job["dry_run"], job["total"], job["replayed"]) == ("done", True, 1, 0)


def test_a_replay_can_be_stopped_once(api: Api, endpoint: Endpoint) -> None:
    job = api.post(f"webhooks/{endpoint.public_id}/replay/", {"since": SINCE}).json()
    path = f"webhooks/replays/{job['id']}/stop/"

    stopped = api.post(path, {"reason": "wrong endpoint"})

    assert (stopped.json()["status"], stopped.json()["stopped_because"]) == ("stopped", "wrong endpoint")
    assert api.post(path).status_code == 409


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "since"),
        ({"since": "2025-01-15T10:30:00"}, "since"),
        ({"since": "2999-01-01T00:00:00Z"}, "since"),
        ({"since": SINCE, "until": SINCE}, "since"),
        ({"since": SINCE, "statuses": ["pending"]}, "statuses.0"),
        ({"since": SINCE, "statuses": []}, "statuses"),
        ({"since": SINCE, "events": ["call.finished"]}, "events.0"),
        ({"since": SINCE, "dry_run": 1}, "dry_run"),
        ({"since": SINCE, "status": ["failed"]}, "status"),
    ],
)
def test_what_is_no_replay_is_refused_by_field(api: Api, endpoint: Endpoint, body: dict[str, Any], field: str) -> None:
    answer = api.post(f"webhooks/{endpoint.public_id}/replay/", body)

    assert answer.status_code == 400
    assert set(error_of(answer)["fields"]) == {field}
    assert not Replay.objects.exists()


def test_an_endpoint_that_is_off_can_be_asked_about_but_not_replayed(api: Api, endpoint: Endpoint) -> None:
    Endpoint.objects.update(is_active=False)
    path = f"webhooks/{endpoint.public_id}/replay/"

    assert api.post(path, {"since": SINCE}).status_code == 409
    assert api.post(path, {"since": SINCE, "dry_run": True}).json()["total"] == 3


def test_replays_of_other_workspaces_are_not_there(api: Api, endpoint: Endpoint) -> None:
    job = api.post(f"webhooks/{endpoint.public_id}/replay/", {"since": SINCE}).json()
    stranger = Api()

    assert stranger.get(f"webhooks/replays/{job['id']}/").status_code == 404
    assert stranger.post(f"webhooks/replays/{job['id']}/stop/").status_code == 404
    assert stranger.post(f"webhooks/{endpoint.public_id}/replay/", {"since": SINCE}).status_code == 404
