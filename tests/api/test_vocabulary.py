"""One name for one thing: ``campaign_id``, ``time_zone``; what the specification also calls otherwise is understood."""

from typing import Any

import pytest

from tests.api.client import Answer, Api, error_of
from tests.api.queue_rows import make_callback, open_campaign, soon
from tests.api.routes import BODIES, operations
from tests.factories import make_line, make_persona

pytestmark = pytest.mark.django_db

QUESTION = {name: value for name, value in BODIES["campaigns/{id}/preview/"]().items() if name != "time_zone"}


def with_schedule(api: Api, **schedule: Any) -> Answer:
    make_line(api.workspace, is_default=True)
    body = {"name": "Q1", "persona_id": make_persona(api.workspace).public_id, "schedule": schedule}
    return api.post("campaigns/", body)


@pytest.mark.parametrize("name", ["campaign_id", "campaign"])
def test_callbacks_are_filtered_by_campaign_under_either_name(name: str) -> None:
    api = Api()
    mine, other = open_campaign(api.workspace), open_campaign(api.workspace)
    wanted = make_callback(mine, at=soon(hours=1))
    make_callback(other, at=soon(hours=1))

    listed = api.get("callbacks/", **{name: mine.public_id}).json()["results"]
    job = api.post("callbacks/bulk/", {"action": "cancel", "filter": {name: mine.public_id}}).json()

    assert [row["id"] for row in listed] == [wanted.pk]
    assert (job["total"], job["filter"]) == (1, {"campaign_id": mine.public_id})


def test_a_filter_that_had_another_name_is_refused_with_the_new_one() -> None:
    answer = Api().get("callbacks/", contact="ct_01h455vb4pex5vsknk084sn02q")

    assert error_of(answer)["fields"] == {"contact": ["is called contact_id"]}


def test_two_names_of_one_filter_are_refused() -> None:
    api = Api()
    campaign = open_campaign(api.workspace).public_id

    answer = api.get("callbacks/", campaign=campaign, campaign_id=campaign)

    assert error_of(answer)["fields"] == {"campaign": ["means the same as campaign_id; give one of them"]}


@pytest.mark.parametrize("name", ["time_zone", "timezone"])
def test_a_campaign_takes_its_zone_under_either_name_and_shows_it_under_one(name: str) -> None:
    answer = with_schedule(Api(), **{name: "Europe/Berlin"})

    assert answer.json()["schedule"]["time_zone"] == "Europe/Berlin"
    assert "timezone" not in answer.json()["schedule"]


def test_a_fault_is_named_as_the_client_wrote_it() -> None:
    api = Api()

    unfound = api.get("callbacks/", campaign="x")
    refused = api.post("callbacks/bulk/", {"action": "cancel", "filter": {"campaign": "x"}})

    assert list(error_of(unfound)["fields"]) == ["campaign"]
    assert list(error_of(refused)["fields"]) == ["filter.campaign"]


def test_two_zones_of_one_schedule_are_refused() -> None:
    answer = with_schedule(Api(), time_zone="Europe/Berlin", timezone="Europe/Berlin")

    assert list(error_of(answer)["fields"]) == ["schedule"]


@pytest.mark.parametrize("name", ["time_zone", "timezone"])
def test_a_preview_takes_zones_under_either_name(name: str) -> None:
    api = Api()

    answer = api.post("callbacks/preview/", {**QUESTION, name: "Asia/Tokyo", "schedule": {name: "Asia/Tokyo"}})

    assert answer.json()["timezone"] == "Asia/Tokyo"


def test_another_name_of_a_field_is_in_the_schema_and_says_so() -> None:
    (listing,) = (operation for operation in operations() if operation.spec["operationId"] == "callbacks_list")
    told = {parameter["name"]: parameter["schema"] for parameter in listing.spec["parameters"]}

    assert told["campaign"]["pattern"] == told["campaign_id"]["pattern"]
    assert "contact" not in told
