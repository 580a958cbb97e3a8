"""Where the installation's secret goes, and who may say so: not the tenant who writes a line."""

import json
from collections.abc import Iterator

import pytest
from django.urls import reverse
from pytest_django.fixtures import Settings

from dialer import carriers
from dialer.models import Call, Line
from dialer.workspaces.models import AuditEntry
from tests.admin.people import browser_of
from tests.api.client import Api, error_of
from tests.dialer.carriers.conformance import a_request, handed_over
from tests.dialer.carriers.receiver import Receiver, receiving
from tests.factories import NOW, make_call, make_contact, make_line, make_workspace

pytestmark = pytest.mark.django_db

BASE_URL = {"base_url": "http://169.254.169.254/latest/meta-data"}


@pytest.fixture
def rogue() -> Iterator[Receiver]:
    with receiving() as listening:
        yield listening


@pytest.fixture
def installations_own() -> Iterator[Receiver]:
    with receiving() as listening:
        listening.body = b'{"carrier_call_id": "c-1"}'
        yield listening


@pytest.fixture
def _two_carriers(settings: Settings) -> None:
    """Let the installation have a second carrier, whose lines have credentials of their own."""
    settings.CARRIERS = {**settings.CARRIERS, "vendor": "tests.in_process_carrier.VendorAdapter"}


def test_credentials_of_a_line_cannot_name_an_address(rogue: Receiver) -> None:
    admin = Api(scope="admin")
    line = make_line(admin.workspace)

    made = admin.post("lines/", {"name": "Rogue", "credentials": {"base_url": rogue.url}})
    changed = admin.patch(f"lines/{line.public_id}/", {"credentials": BASE_URL | {"secret": "s"}})

    assert (made.status_code, changed.status_code) == (400, 400)
    assert set(error_of(made)["fields"]) == {"credentials.base_url"}
    assert set(error_of(changed)["fields"]) == {"credentials.base_url", "credentials.secret"}
    assert "settings of the installation" in error_of(made)["fields"]["credentials.base_url"][0]
    assert list(Line.objects.values_list("pk", "credentials")) == [(line.pk, None)]


@pytest.mark.usefixtures("_two_carriers")
def test_lines_and_their_credentials_are_written_by_an_admin_key_only() -> None:
    admin = Api(scope="admin")
    writer = Api(admin.workspace, scope="write")
    theirs = {"carrier": "vendor", "credentials": {"token": "t"}}
    line = make_line(admin.workspace, carrier="vendor", credentials='{"token": "former"}')

    for refused in (
        writer.post("lines/", {"name": "Main", **theirs}),
        writer.patch(f"lines/{line.public_id}/", {"credentials": {"token": "t"}}),
        writer.patch(f"lines/{line.public_id}/", {"credentials": None}),
    ):
        assert (refused.status_code, error_of(refused)["code"]) == (403, "permission_denied")
    assert writer.patch(f"lines/{line.public_id}/", {"name": "Renamed"}).status_code == 403
    line.refresh_from_db()
    assert line.credentials == '{"token": "former"}'

    assert admin.patch(f"lines/{line.public_id}/", {"credentials": {"token": "t"}}).status_code == 200
    assert admin.post("lines/", {"name": "Main", **theirs}).status_code == 201
    assert "former" not in str(list(AuditEntry.objects.values()))


@pytest.mark.usefixtures("_two_carriers")
def test_credentials_do_not_follow_a_line_to_another_carrier() -> None:
    admin = Api(scope="admin")
    line = make_line(admin.workspace, carrier="vendor", credentials='{"token": "t"}')

    refused = admin.patch(f"lines/{line.public_id}/", {"carrier": "simulated"})

    assert (refused.status_code, set(error_of(refused)["fields"])) == (400, {"credentials"})
    taken = admin.patch(f"lines/{line.public_id}/", {"carrier": "simulated", "credentials": None})
    assert (taken.status_code, taken.json()["has_credentials"]) == (200, False)


def test_a_line_whose_carrier_the_installation_no_longer_has_can_be_renamed_and_gets_no_credentials() -> None:
    admin = Api(scope="admin")
    path = f"lines/{make_line(admin.workspace, carrier='gone', credentials='{}').public_id}/"

    assert admin.patch(path, {"name": "Renamed"}).status_code == 200
    refused = admin.patch(path, {"credentials": {"token": "t"}})

    assert (refused.status_code, set(error_of(refused)["fields"])) == (400, {"carrier"})


def test_the_admin_site_refuses_an_address_beside_the_field() -> None:
    workspace = make_workspace()
    form = {
        "workspace": workspace.pk,
        "name": "Rogue",
        "carrier": "simulated",
        "numbers": "",
        "new_credentials": json.dumps(BASE_URL),
        "ring_timeout_seconds": "30",
        "max_duration_seconds": "3600",
    }

    answer = browser_of(workspace).post(reverse("admin:dialer_line_add"), form)

    assert "settings of the installation" in answer.content.decode()
    assert not Line.objects.exists()


def test_the_installations_secret_goes_to_the_installations_carrier_whatever_a_row_says(
    rogue: Receiver, installations_own: Receiver, settings: Settings
) -> None:
    settings.SIMULATED_CARRIER_URL = installations_own.url
    settings.SIMULATED_CARRIER_SECRET = "the installation's"  # noqa: S105 — a test's
    line = make_line(credentials=json.dumps({"base_url": rogue.url}))  # as an earlier release let it be stored
    request = a_request("+493012345678")

    carriers.of(line).place(request)
    carriers.of(line).look_up(handed_over(request))
    carriers.of(line).hang_up(handed_over(request))

    assert rogue.received == []
    assert {asked.headers["Authorization"] for asked in installations_own.received} == {"Bearer the installation's"}
    assert len(installations_own.received) == 3


@pytest.mark.usefixtures("_two_carriers")
def test_a_line_keeps_its_carrier_while_calls_over_it_are_live() -> None:
    live = make_call(make_contact(), status="dialing")
    admin = Api(live.workspace, scope="admin")
    path = f"lines/{live.line.public_id}/"

    refused = admin.patch(path, {"carrier": "simulated", "name": "Renamed"}), admin.patch(path, {"carrier": "vendor"})
    Call.objects.update(status="ended", outcome="busy", ended_at=NOW)

    assert [answer.status_code for answer in refused] == [200, 400]
    assert set(error_of(refused[1])["fields"]) == {"carrier"}
