"""Where a URL leads is asked when it is saved, and again at every attempt: a name may lead elsewhere by then."""

import time

import pytest
from pytest_django.fixtures import Settings

from tests.webhooks.name_server import SILENCE, NameServer, alias_of, start_name_server
from tests.webhooks.receivers import Receivers
from webhooks.destinations import url_error
from webhooks.rules.classify import Failure
from webhooks.transport import Answer, Request, Transport

LOOPBACK = ["127.0.0.0/8"]


@pytest.fixture(autouse=True)
def names(servers: Receivers, settings: Settings) -> NameServer:
    known = {
        "crm.example": ["127.0.0.1"],
        "mixed.example": ["127.0.0.1", "10.0.0.1"],
        "private.example": ["10.0.0.1"],
        "alias.example": alias_of("private.example"),
        "metadata.example": ["169.254.169.254"],
        "six.example": ["fd00:ec2::254"],
        "silence.example": SILENCE,
    }
    server: NameServer = servers.call(start_name_server(known, ttl=0))
    settings.WEBHOOK_DNS_SERVERS = [server.address]
    settings.WEBHOOK_ALLOWED_NETWORKS = LOOPBACK
    return server


@pytest.mark.parametrize(
    "host", ["mixed.example", "private.example", "alias.example", "metadata.example", "six.example", "0x0a.1", "[::1]"]
)
def test_a_url_that_leads_to_a_forbidden_address_is_refused_when_it_is_saved(host: str) -> None:
    reason = url_error(f"https://{host}/hook")

    assert reason is not None
    assert "must not go" in reason


@pytest.mark.parametrize("host", ["crm.example", "nobody.example", "127.0.0.1"])
def test_a_url_that_may_be_dialled_or_cannot_be_asked_for_now_is_saved(host: str) -> None:
    assert url_error(f"https://{host}/hook") is None


def test_a_silent_name_server_keeps_nobody_waiting_for_long() -> None:
    began = time.monotonic()

    assert url_error("https://silence.example/hook") is None
    assert time.monotonic() - began < 8


def test_a_name_that_is_rebound_after_it_was_saved_is_not_dialled(servers: Receivers, names: NameServer) -> None:
    receiver = servers.answering()
    url = receiver.url("crm.example")
    assert url_error(url) is None

    names.names["crm.example"] = ["127.0.0.1", "10.0.0.1"]
    transport = Transport(allowed_networks=LOOPBACK, dns_servers=[names.address])
    transport.start(Request(key="one", url=url, headers=[], body=b"{}", timeout_seconds=2))
    answers: list[Answer] = []
    while transport.in_flight:
        answers += transport.run(0.05)
    transport.close()

    assert [answer.failure for answer in answers] == [Failure.FORBIDDEN_ADDRESS]
    assert receiver.connections == 0
