"""The address of a request: what counts of what it says, and what the audit keeps of it."""

import pytest
from django.test import Client as Browser
from django.test import RequestFactory
from pytest_django.fixtures import Settings

from dialer.workspaces import api_keys
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.client import client_of
from dialer.workspaces.models import ApiKey, AuditEntry
from tests.factories import NOW, make_workspace

PROXY, OTHER_PROXY, THEIRS, FORGED = "10.0.0.1", "10.0.0.2", "203.0.113.9", "198.51.100.7"


@pytest.mark.parametrize(
    ("forwarded", "connection", "address"),
    [
        ("", THEIRS, THEIRS),
        (FORGED, THEIRS, THEIRS),
        (THEIRS, PROXY, THEIRS),
        (f"{FORGED}, {THEIRS}", PROXY, THEIRS),
        (f"{FORGED}, {THEIRS}, {OTHER_PROXY}", PROXY, THEIRS),
        (f"{THEIRS}:49152", PROXY, THEIRS),
        ("2001:db8::1", PROXY, "2001:db8::1"),
        ("[2001:db8::1]:49152", PROXY, "2001:db8::1"),
        (f"::ffff:{THEIRS}", PROXY, THEIRS),
        ("unknown", PROXY, PROXY),
        (f"{FORGED}, not an address", PROXY, PROXY),
        ("", PROXY, PROXY),
        ("", "", None),
    ],
)
def test_only_what_our_own_proxies_wrote_counts(
    settings: Settings, forwarded: str, connection: str, address: str | None
) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/24"]
    request = RequestFactory().get("/", REMOTE_ADDR=connection, headers={"X-Forwarded-For": forwarded})

    assert client_of(request).address == address


def test_without_a_named_proxy_the_connection_counts() -> None:
    request = RequestFactory().get("/", REMOTE_ADDR=PROXY, headers={"X-Forwarded-For": FORGED})

    assert client_of(request).address == PROXY


def test_an_agent_of_any_length_and_letters_can_be_kept() -> None:
    request = RequestFactory().get("/", headers={"User-Agent": "curl\x00\n/8 " + "x" * 5_000})

    assert client_of(request).agent == "curl/8 " + "x" * 193


@pytest.mark.django_db
def test_a_key_leaves_an_entry_for_each_new_address_and_none_for_known_ones() -> None:
    workspace = make_workspace()
    key, plain = api_keys.issue(workspace_id=workspace.pk, name="CRM", scope="read", actor=SYSTEM, now=NOW)

    for address in (THEIRS, THEIRS, "2001:db8::1", THEIRS):
        browser = Browser(headers={"Authorization": f"Bearer {plain}", "User-Agent": "curl/8"}, REMOTE_ADDR=address)
        assert browser.get("/api/v1/calls/").status_code == 200

    found = AuditEntry.objects.in_workspace(workspace.pk).filter(verb="use_from_new_address").order_by("id")
    assert [(each.address, each.agent, each.actor_id) for each in found] == [
        (THEIRS, "curl/8", key.public_id),
        ("2001:db8::1", "curl/8", key.public_id),
    ]


@pytest.mark.django_db
def test_a_key_remembers_the_newest_fifty_addresses() -> None:
    key, plain = api_keys.issue(workspace_id=make_workspace().pk, name="CRM", scope="read", actor=SYSTEM, now=NOW)
    ApiKey.objects.filter(pk=key.pk).update(addresses=[f"192.0.2.{number}" for number in range(50)])

    Browser(headers={"Authorization": f"Bearer {plain}"}, REMOTE_ADDR=THEIRS).get("/api/v1/calls/")

    key.refresh_from_db()
    assert (len(key.addresses), key.addresses[0], key.addresses[-1]) == (50, "192.0.2.1", THEIRS)
