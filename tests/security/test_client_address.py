"""The address of a client is what trusted proxies saw, never what the client says."""

import pytest
from django.conf import LazySettings
from django.test import RequestFactory

from dialer.workspaces.client_address import address_of

PROXY, CLIENT = "10.0.0.2", "203.0.113.7"


def address(*, forwarded: str | None = None, connection: str = PROXY) -> str:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return address_of(RequestFactory().get("/", headers=headers, REMOTE_ADDR=connection))


def test_without_a_trusted_proxy_only_the_connection_counts() -> None:
    assert address(forwarded=CLIENT) == PROXY


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (1, CLIENT, CLIENT),
        (1, f"192.0.2.1, {CLIENT}", CLIENT),
        (2, f"192.0.2.1,{CLIENT}, 10.0.0.1", CLIENT),
        (1, "2001:DB8::1", "2001:db8::1"),
        (1, "::ffff:203.0.113.7", CLIENT),
    ],
)
def test_behind_proxies_the_outermost_trusted_one_says_it(
    settings: LazySettings, proxies: int, forwarded: str, expected: str
) -> None:
    settings.TRUSTED_PROXIES = proxies

    assert address(forwarded=forwarded) == expected


@pytest.mark.parametrize("forwarded", [None, "", CLIENT, "unknown, 10.0.0.1", f"{CLIENT}:80, 10.0.0.1"])
def test_a_request_that_passed_too_few_proxies_or_names_no_address_has_none(
    settings: LazySettings, forwarded: str | None
) -> None:
    settings.TRUSTED_PROXIES = 2

    assert address(forwarded=forwarded) == ""


def test_a_connection_over_a_socket_file_has_no_address() -> None:
    assert address(connection="") == ""
