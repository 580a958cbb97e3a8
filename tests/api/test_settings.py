"""The workspace's settings over HTTP: presets by jurisdiction, and what new rows begin with."""

import pytest

from dialer.models import Line
from dialer.setup import workspace_settings
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.models import AuditEntry, Workspace
from tests.api.client import Api, error_of
from tests.factories import NOW, make_workspace

pytestmark = pytest.mark.django_db


def test_presets_are_listed_with_their_sources() -> None:
    answer = Api(scope="read").get("settings/presets/")

    assert answer.status_code == 200
    by_code = {preset["code"]: preset for preset in answer.json()["results"]}
    assert by_code["us-fl"]["contact_limits"] == [{"max": 3, "period_hours": 24, "scope": "number"}]
    assert by_code["us-fl"]["schedule"] == {"calling_hours": {"start": "08:00", "end": "20:00"}}
    assert all(preset["sources"][0]["url"].startswith("http") for preset in by_code.values())


def test_a_preset_takes_the_place_of_limits_and_window_and_leaves_the_rest() -> None:
    api = Api(make_workspace(schedule={"days": ["mon"], "max_callback_attempts": 4}), scope="admin")

    answer = api.patch("settings/", {"preset": "us-fl"})

    assert answer.status_code == 200, answer.content
    assert answer.json()["contact_limits"] == [{"max": 3, "period_hours": 24, "scope": "number"}]
    assert answer.json()["schedule"] == {
        "max_callback_attempts": 4,
        "calling_hours": {"start": "08:00", "end": "20:00"},
    }
    assert "preset" not in answer.json()
    assert AuditEntry.objects.get(verb="edit").to_state["contact_limits"][0]["max"] == 3


def test_an_admin_key_requires_a_second_factor_of_the_people() -> None:
    api = Api(scope="admin")

    answer = api.patch("settings/", {"requires_two_factor": True})

    assert answer.json()["requires_two_factor"] is True
    assert AuditEntry.objects.get(verb="edit").to_state == {"requires_two_factor": True}
    assert error_of(api.patch("settings/", {"requires_two_factor": "yes"}))["fields"].keys() == {"requires_two_factor"}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"preset": "atlantis"}, "preset"),
        ({"preset": None}, "preset"),
        ({"preset": 1}, "preset"),
        ({"preset": "us-fl", "contact_limits": []}, "preset"),
        ({"preset": "us-fl", "schedule": {}}, "preset"),
    ],
)
def test_a_preset_that_is_not_known_or_not_alone_is_refused(body: dict[str, object], path: str) -> None:
    api = Api(scope="admin")
    before = Workspace.objects.values().get()

    answer = api.patch("settings/", body)

    assert answer.status_code == 400
    assert list(error_of(answer)["fields"]) == [path]
    assert Workspace.objects.values().get() == before


def test_a_new_workspace_begins_with_ten_calls_a_day_and_number() -> None:
    workspace = workspace_settings.open_workspace(name="Acme", actor=SYSTEM, now=NOW)

    assert workspace.contact_limits == [{"max": 10, "period_hours": 24, "scope": "number"}]


def test_a_new_line_that_says_nothing_of_its_pace_starts_ten_calls_a_second_and_null_is_no_limit() -> None:
    api = Api(scope="admin")

    silent = api.post("lines/", {"name": "Main", "carrier": "simulated"})
    unlimited = api.post("lines/", {"name": "Fast", "carrier": "simulated", "calls_per_second": None})

    assert silent.json()["calls_per_second"] == 10.0
    assert unlimited.json()["calls_per_second"] is None
    assert Line.objects.get(name="Main").calls_per_second == 10.0
