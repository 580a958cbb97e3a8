"""Contacts, imports and suppressions over HTTP."""

import pytest
from pytest_django.fixtures import Settings

from dialer.calls.hashed_numbers import hashed
from dialer.models import CampaignContact, Contact, Import, Suppression
from dialer.tasks.imports import import_contacts
from tests.api.client import Answer, Api, error_of
from tests.factories import make_call, make_campaign, make_contact, make_suppression, make_workspace

pytestmark = pytest.mark.django_db


def send_csv(api: Api, path: str, text: str, **headers: str) -> Answer:
    return api.send("POST", path, text.encode(), content_type="text/csv", **headers)


def test_a_contact_is_made_with_its_zone_derived_from_the_number() -> None:
    made = Api().post("contacts/", {"name": "Jane", "phone": "+49 30 1234567", "metadata": {"tier": "gold"}})

    assert made.status_code == 201
    shown = made.json()
    assert (shown["phone"], shown["zones"], shown["timezone_source"]) == ("+49301234567", ["Europe/Berlin"], "number")
    assert shown["metadata"] == {"tier": "gold"}


def test_an_external_id_that_is_there_changes_its_contact() -> None:
    api = Api()
    first = api.post("contacts/", {"external_id": "crm-1", "name": "Jane", "phone": "+49301234567"})

    second = api.post("contacts/", {"external_id": "crm-1", "name": "Joan", "phone": "+49301234568"})

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    assert Contact.objects.get().name == "Joan"


def test_a_bad_contact_is_told_field_by_field() -> None:
    answer = Api().post("contacts/", {"phone": "030 123", "time_zone": "Mars/Olympus", "nickname": "J"})
    assert set(error_of(answer)["fields"]) == {"nickname"}

    answer = Api().post("contacts/", {"phone": "030 123", "time_zone": "Mars/Olympus"})
    assert set(error_of(answer)["fields"]) == {"phone", "time_zone"}


def test_a_contact_is_changed_and_forgotten() -> None:
    api = Api()
    contact = make_contact(api.workspace)
    path = f"contacts/{contact.public_id}/"

    assert api.patch(path, {"name": "Joan"}).json()["name"] == "Joan"
    assert api.delete(path, {"reason": "asked for it"}).status_code == 204
    assert api.get(path).status_code == 404
    assert api.get("contacts/").json()["results"] == []


def test_a_contact_that_is_on_the_phone_is_not_deleted() -> None:
    api = Api()
    call = make_call(make_contact(api.workspace), status="ringing")

    answer = api.delete(f"contacts/{call.contact.public_id}/")

    assert (answer.status_code, error_of(answer)["code"]) == (409, "contact_on_a_call")


def test_contacts_are_found_by_number() -> None:
    api = Api()
    wanted, _ = make_contact(api.workspace), make_contact(api.workspace)

    found = api.get("contacts/", phone=wanted.phone).json()["results"]

    assert [row["id"] for row in found] == [wanted.public_id]


@pytest.mark.parametrize("asked", ["%2B49301234567", "+49301234567", "%2B49%2030%20123-4567", "+49+30+1234567"])
@pytest.mark.parametrize("resource", ["contacts", "suppressions"])
def test_a_number_is_found_however_its_plus_and_spaces_are_encoded(asked: str, resource: str) -> None:
    api = Api()
    make_contact(api.workspace, phone="+49301234567")
    make_suppression(api.workspace, "+49301234567")

    found = api.get(f"{resource}/?phone={asked}").json()["results"]

    assert [row["phone"] for row in found] == ["+49301234567"]


@pytest.mark.parametrize("asked", ["030123", "0049301234567", "Jane", "49301234567", "%00", ""])
@pytest.mark.parametrize("resource", ["contacts", "suppressions"])
def test_what_is_no_number_is_not_looked_for(asked: str, resource: str) -> None:
    answer = Api().get(f"{resource}/?phone={asked}")

    assert answer.status_code == 400
    assert set(error_of(answer)["fields"]) == {"phone"}


def test_a_file_is_taken_in_and_its_bad_rows_are_given_back() -> None:
    api = Api()

    started = send_csv(
        api, "contacts/import/?file_name=people.csv", "name,phone\nJane,+49301234567\nJoe,12\nJane,+49301234567\n"
    )
    assert started.status_code == 202
    assert started.json()["status"] == "waiting"
    import_contacts(str(Import.objects.get().pk))

    path = f"imports/{started.json()['id']}/"
    done = api.get(path).json()
    assert (done["status"], done["progress"], done["file_name"]) == ("done", 1.0, "people.csv")
    assert (done["rows_read"], done["rows_good"], done["rows_duplicate"], done["rows_bad"]) == (3, 1, 1, 1)
    problems = api.get(f"{path}problems.csv")
    lines = b"".join(problems.streaming_content).decode().splitlines()
    assert lines[0] == "line,column,reason,name,phone"
    assert lines[1].startswith("3,phone,")


def test_a_file_can_go_into_a_campaign() -> None:
    api = Api()
    campaign = make_campaign(api.workspace, status="draft")

    started = send_csv(api, f"campaigns/{campaign.public_id}/contacts/", "phone\n+49301234567\n")
    import_contacts(str(Import.objects.get().pk))

    assert (started.status_code, started.json()["campaign_id"]) == (202, campaign.public_id)
    assert CampaignContact.objects.get().campaign_id == campaign.pk


def test_a_file_sent_again_under_its_key_is_read_once_and_another_one_is_a_conflict() -> None:
    api = Api()
    first = send_csv(api, "contacts/import/", "phone\n+49301234567\n", idempotency_key="file-1")

    again = send_csv(api, "contacts/import/", "phone\n+49301234567\n", idempotency_key="file-1")
    other = send_csv(api, "contacts/import/", "phone\n+49301234568\n", idempotency_key="file-1")

    assert again.json() == first.json()
    assert Import.objects.count() == 1
    assert (other.status_code, error_of(other)["code"]) == (409, "idempotency_key_reused")


def test_an_empty_file_and_another_media_type_are_refused() -> None:
    api = Api()

    assert send_csv(api, "contacts/import/", "").status_code == 400
    assert api.post("contacts/import/", {"phone": "+49301234567"}).status_code == 415
    assert send_csv(api, "contacts/", "phone\n").status_code == 415


def test_a_number_is_suppressed_once() -> None:
    api = Api()

    first = api.post("suppressions/", {"phone": "+49 30 1234567", "reason": "manual"})
    again = api.post("suppressions/", {"phone": "+49301234567"})

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert api.post("suppressions/", {"phone": "123"}).status_code == 400


def test_many_numbers_are_suppressed_and_bad_ones_named() -> None:
    api = Api()
    make_suppression(api.workspace, "+49301111111")

    answer = api.post("suppressions/import/", {"phones": ["+49301111111", "+49302222222", "x", "+49302222222"]})

    assert answer.json() == {
        "submitted": 4,
        "added": 1,
        "already": 2,
        "withdrawn": 0,
        "refused": [{"index": 2, "reason": "must start with + and the country code"}],
    }


def test_only_an_admin_key_lifts_a_suppression() -> None:
    writer = Api()
    admin = Api(writer.workspace, scope="admin")
    path = f"suppressions/{make_suppression(writer.workspace, '+49301111111').public_id}/"

    assert writer.delete(path, {"reason": "asked"}).status_code == 403
    assert admin.delete(path, {"reason": "asked"}).status_code == 204
    assert not Suppression.objects.exists()


def test_a_contact_says_whether_its_number_is_suppressed_and_by_which_entry() -> None:
    api = Api()
    contact, other = make_contact(api.workspace), make_contact(api.workspace)
    entry = make_suppression(api.workspace, contact.phone, reason="dnc_request")
    make_suppression(make_workspace(), other.phone)

    shown = api.get(f"contacts/{contact.public_id}/").json()
    listed = {row["id"]: row for row in api.get("contacts/").json()["results"]}

    assert (shown["suppressed"], shown["suppression"]) == (True, {"id": entry.public_id, "reason": "dnc_request"})
    assert listed[contact.public_id]["suppressed"] is True
    assert (listed[other.public_id]["suppressed"], listed[other.public_id]["suppression"]) == (False, None)


def test_a_number_that_is_suppressed_by_its_hash_is_shown_as_suppressed() -> None:
    api = Api()
    make_suppression(api.workspace, hashed("+49301234567"))

    made = api.post("contacts/", {"phone": "+49301234567"})

    assert (made.status_code, made.json()["suppressed"]) == (201, True)
    assert api.patch(f"contacts/{made.json()['id']}/", {"name": "Jane"}).json()["suppressed"] is True


def test_too_large_a_file_and_too_many_at_once_are_refused_with_the_reason(settings: Settings) -> None:
    api = Api()
    settings.IMPORT_MOST_LINES, settings.IMPORTS_AT_ONCE = 2, 1

    large = send_csv(api, "contacts/import/", "phone\n+49301234567\n+49301234568\n")
    taken = send_csv(api, "contacts/import/", "phone\n+49301234567\n")
    many = send_csv(api, "contacts/import/", "phone\n+49301234568\n")

    assert (large.status_code, error_of(large)["code"]) == (413, "too_large")
    assert error_of(large)["message"] == "Not accepted: the file has more than 2 lines."
    assert (taken.status_code, many.status_code, error_of(many)["code"]) == (202, 409, "too_many_imports")
    assert Import.objects.count() == 1
