"""What a key may not do: reach further than it says, be used from elsewhere, make a key that may do more."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse

from dialer.models import Campaign
from dialer.workspaces import api_keys
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import ApiKey, AuditEntry, Workspace
from tests.admin.people import browser_of
from tests.api.client import Answer, Api, error_of
from tests.factories import make_campaign, make_workspace
from tests.webhooks.rows import make_endpoint

pytestmark = pytest.mark.django_db

HOME, AWAY = "203.0.113.7", "198.51.100.1"


def limited(workspace: Workspace, networks: list[str], **fields: Any) -> tuple[ApiKey, str]:
    return api_keys.issue(
        workspace_id=workspace.pk,
        name="CRM",
        scope="admin",
        allowed_networks=networks,
        actor=SYSTEM,
        now=database_now(),
        **fields,
    )


def read_from(address: str, plain: str, **headers: str) -> Answer:
    client = Client(headers={"Authorization": f"Bearer {plain}", **headers})
    return client.get("/api/v1/contacts/", REMOTE_ADDR=address)


class TestNetworks:
    @pytest.mark.parametrize(
        ("networks", "address", "status"),
        [
            (["203.0.113.0/24"], HOME, 200),
            (["203.0.113.7"], HOME, 200),
            (["2001:db8::/32", "203.0.113.0/24"], HOME, 200),
            (["203.0.113.0/24"], f"::ffff:{HOME}", 200),
            (["2001:db8::/32"], "2001:db8::1", 200),
            (["203.0.113.0/24"], AWAY, 403),
            (["2001:db8::/32"], HOME, 403),
            (["203.0.113.0/24"], "", 403),
            ([], AWAY, 200),
        ],
    )
    def test_a_key_is_taken_from_its_networks_only(self, networks: list[str], address: str, status: int) -> None:
        key, plain = limited(make_workspace(), networks)

        answer = read_from(address, plain)

        assert answer.status_code == status
        if status == 403:
            assert error_of(answer)["code"] == "address_not_allowed"
            assert error_of(answer)["details"] == {"address": address or None}
            assert ApiKey.objects.get(pk=key.pk).last_used_at is None

    def test_a_header_that_no_trusted_proxy_wrote_changes_nothing(self, settings: LazySettings) -> None:
        _, plain = limited(make_workspace(), ["203.0.113.0/24"])

        assert read_from(AWAY, plain, **{"X-Forwarded-For": HOME}).status_code == 403
        settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
        assert read_from("10.0.0.2", plain, **{"X-Forwarded-For": f"{HOME}, {AWAY}"}).status_code == 403
        assert read_from("10.0.0.2", plain, **{"X-Forwarded-For": f"{AWAY}, {HOME}"}).status_code == 200

    def test_a_use_from_elsewhere_is_told_once_an_hour(self) -> None:
        key, plain = limited(make_workspace(), ["203.0.113.0/24"])

        for _ in range(3):
            read_from(AWAY, plain)

        entry = AuditEntry.objects.get(verb="refuse_address")
        assert (entry.object_id, entry.to_state) == (key.public_id, {"address": AWAY})
        ApiKey.objects.update(refused_at=database_now() - timedelta(hours=1))
        read_from(AWAY, plain)
        assert AuditEntry.objects.filter(verb="refuse_address").count() == 2

    def test_the_form_of_the_admin_takes_networks_one_per_line(self) -> None:
        workspace = make_workspace()
        browser = browser_of(workspace, role="owner")
        form = {"workspace": workspace.pk, "name": "CRM", "scope": "calls", "expires_at_0": "", "expires_at_1": ""}

        refused = browser.post(reverse("admin:workspaces_apikey_add"), {**form, "allowed_networks": "10.0.0.1/8"})
        browser.post(reverse("admin:workspaces_apikey_add"), {**form, "allowed_networks": "10.0.0.0/8\r\n::1"})

        assert "allowed_networks" in refused.context["adminform"].form.errors
        assert ApiKey.objects.get().allowed_networks == ["10.0.0.0/8", "::1/128"]


class TestExpiry:
    def test_every_answer_says_when_the_key_expires(self) -> None:
        at = database_now().replace(microsecond=0) + timedelta(days=3)
        _, plain = limited(make_workspace(), [], expires_at=at)

        assert read_from(HOME, plain).headers["X-API-Key-Expires"] == at.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert "X-API-Key-Expires" not in Api().get("contacts/").headers

    @pytest.mark.parametrize(
        ("days", "words"),
        [(-1, "expired"), (1, "expires within two days"), (5.5, "expires in 5 days"), (30, "works")],
    )
    def test_the_list_of_keys_reminds_of_it(self, days: float, words: str) -> None:
        workspace = make_workspace()
        key, _ = limited(workspace, [])
        ApiKey.objects.filter(pk=key.pk).update(expires_at=database_now() + timedelta(days=days))

        listed = browser_of(workspace, role="owner").get(reverse("admin:workspaces_apikey_changelist"))

        assert words in listed.content.decode()


class TestKeysThatMakeKeys:
    def test_a_key_is_made_used_listed_and_revoked(self) -> None:
        admin = Api(scope="admin")

        made = admin.post("api-keys/", {"name": "Dialler", "scope": "calls"})

        body = made.json()
        client = Client(headers={"X-API-Key": body["key"]})
        assert made.status_code == 201
        assert client.get("/api/v1/calls/").status_code == 200
        assert "key" not in admin.get(f"api-keys/{body['id']}/").json()
        assert {row["id"] for row in admin.get("api-keys/").json()["results"]} == {body["id"], admin.key.public_id}
        revoked = admin.post(f"api-keys/{body['id']}/revoke/", {"reason": "lost"})
        assert revoked.json()["revoked_at"]
        assert client.get("/api/v1/calls/").status_code == 401

    @pytest.mark.parametrize("scope", ["read", "calls", "contacts", "webhooks", "write"])
    def test_only_an_admin_key_makes_keys(self, scope: str) -> None:
        assert Api(scope=scope).post("api-keys/", {"name": "More", "scope": "read"}).status_code == 403

    @pytest.mark.parametrize(
        ("fields", "at_fault"),
        [
            ({}, {"expires_at"}),
            ({"expires_at": None}, {"expires_at"}),
            ({"expires_at": "2999-01-01T00:00:00Z"}, {"expires_at"}),
            ({"expires_at": "2001-01-01T00:00:00Z"}, {"expires_at"}),
            ({"allowed_networks": []}, {"expires_at"}),
            ({"soon": True}, {"allowed_networks"}),
            ({"soon": True, "allowed_networks": ["0.0.0.0/0"]}, {"allowed_networks"}),
            ({"soon": True, "allowed_networks": ["127.0.0.0/8", "10.0.0.0/8"]}, {"allowed_networks"}),
            ({"soon": True, "allowed_networks": ["::/0"]}, {"allowed_networks"}),
            ({"soon": True, "allowed_networks": ["127.0.0.1/8"]}, {"allowed_networks.0"}),
            ({"soon": True, "allowed_networks": ["home"]}, {"allowed_networks.0"}),
            ({"soon": True, "allowed_networks": ["127.0.0.0/8"] * 51}, {"allowed_networks"}),
            ({"soon": True, "scope": "root"}, {"scope"}),
        ],
    )
    def test_a_key_makes_none_that_reaches_further_than_itself(
        self, fields: dict[str, Any], at_fault: set[str]
    ) -> None:
        """By a later end or by more networks; a scope above ``admin`` there is not."""
        now = database_now()
        _, plain = limited(make_workspace(), ["127.0.0.0/8"], expires_at=now + timedelta(days=3))
        asked = {"name": "More", "scope": "admin", **fields}
        if asked.pop("soon", False):
            asked["expires_at"] = (now + timedelta(days=2)).isoformat()

        answer = Client(headers={"X-API-Key": plain}).post("/api/v1/api-keys/", asked, content_type="application/json")

        assert answer.status_code == 400, answer.content
        assert set(error_of(answer)["fields"]) == at_fault
        assert ApiKey.objects.count() == 1

    def test_a_key_within_those_limits_is_made(self) -> None:
        now = database_now()
        _, plain = limited(make_workspace(), ["127.0.0.0/8"], expires_at=now + timedelta(days=3))
        asked = {
            "name": "Less",
            "scope": "read",
            "expires_at": (now + timedelta(days=2)).isoformat(),
            "allowed_networks": ["127.0.1.0/24"],
        }

        answer = Client(headers={"X-API-Key": plain}).post("/api/v1/api-keys/", asked, content_type="application/json")

        assert answer.status_code == 201, answer.content


class TestSecretsAndScopes:
    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("api-keys/", {"name": "CRM", "scope": "read"}),
            ("webhooks/", {"name": "CRM", "url": "https://9.9.9.9/hook", "events": ["*"]}),
        ],
    )
    def test_a_secret_is_not_replayed_to_another_key(self, path: str, body: dict[str, Any]) -> None:
        first = Api(scope="admin")
        other = Api(first.workspace, scope="admin")
        secret = first.post(path, body, idempotency_key="one").json()

        again = first.post(path, body, idempotency_key="one")
        stolen = other.post(path, body, idempotency_key="one")

        assert again.json() == secret
        assert (stolen.status_code, error_of(stolen)["code"]) == (409, "idempotency_key_of_another_api_key")
        assert (secret.get("key") or secret["secret"]) not in stolen.content.decode()

    @pytest.mark.parametrize("field", [{"secret": "whsec_c2VjcmV0c2VjcmV0c2VjcmV0"}, {"signing_method": "none"}])
    def test_how_an_existing_endpoint_signs_is_changed_by_an_admin_key_only(self, field: dict[str, str]) -> None:
        admin = Api(scope="admin")
        path = f"webhooks/{make_endpoint(admin.workspace).public_id}/"

        for scope in ("webhooks", "write"):
            refused = Api(admin.workspace, scope=scope).patch(path, field)
            assert (refused.status_code, error_of(refused)["code"]) == (403, "permission_denied")
        assert Api(admin.workspace, scope="webhooks").patch(path, {"name": "ERP"}).status_code == 200

    def test_a_key_for_contacts_puts_nobody_into_a_campaign(self) -> None:
        """Contacts of a running campaign are called."""
        api = Api(scope="contacts")
        campaign: Campaign = make_campaign(api.workspace)
        client = Client(headers={"X-API-Key": api.plain})
        path = f"/api/v1/contacts/import/?campaign_id={campaign.public_id}"

        refused = client.post(path, b"phone\n+4930123456\n", content_type="text/csv")
        taken = client.post("/api/v1/contacts/import/", b"phone\n+4930123456\n", content_type="text/csv")

        assert (refused.status_code, taken.status_code) == (403, 202)
