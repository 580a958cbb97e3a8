"""Rows 17, 19 and 22: a sender that is lost, endpoints that change under a delivery, and what is refused at once."""

import math
import time
from collections.abc import Callable

from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import Workspace
from tests.hostile.alone import ALLOWED
from tests.hostile.report import Finding
from tests.webhooks.receivers import Receivers, receivers
from webhooks import endpoints
from webhooks.endpoint_settings import InvalidEndpoint
from webhooks.models import Delivery, Endpoint
from webhooks.sender import Sender
from webhooks.transport import Transport

_INJECTIONS: list[tuple[str, dict[str, object]]] = [
    ("custom_headers", {"custom_headers": {"X-A": "1\r\nX-B: 2"}}),
    ("custom_headers", {"custom_headers": {"X-A\r\nX-B": "1"}}),
    ("custom_headers", {"custom_headers": {"X-A": "snow ☃"}}),
    ("events", {"events": ["call.ended\r\nX-B: 2"]}),
    ("secret", {"secret": "a\nb"}),
    ("secret", {"signing_method": "bearer", "secret": "not ascii ☃"}),
    ("secret", {"signing_method": "basic_auth", "secret": "no colon"}),
    ("url", {"url": "http://crm.example/\r\nX-B: 2"}),
    ("url", {"url": "http://user:password@crm.example/"}),
]


def run() -> list[Finding]:
    with receivers() as servers:
        return [_lost_sender(servers), _new_url(servers), _switched_off(servers), _refused()]


def _lost_sender(servers: Receivers) -> Finding:
    receiver = servers.answering()
    _endpoint(receiver.url())
    first, second = _sender(), _sender()
    first._settle_at = math.inf  # noqa: SLF001 — it dies before it comes to that
    _until(first, lambda: len(receiver.requests) == 1)
    first.close()  # it has sent, and never learns of the answer
    Delivery.objects.filter(status="pending", generation=1).update(lease_until=database_now())
    _until(second, lambda: not _pending(receiver.url()))
    second.close()
    same = len({(request.headers["webhook-id"], request.body) for request in receiver.requests}) == 1
    seen = f"{len(receiver.requests) - 1} repeat, with {'the same' if same else 'ANOTHER'} id and bytes"
    return Finding(
        what="row 17, a sender lost after the answer", seen=seen, is_kept=same and len(receiver.requests) <= 2
    )


def _new_url(servers: Receivers) -> Finding:
    old = servers.answering(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
    new = servers.answering()
    endpoint = _endpoint(old.url())
    sender = _sender()
    _until(sender, lambda: len(old.requests) == 1)
    about = {"workspace_id": endpoint.workspace_id, "actor": SYSTEM, "now": database_now()}
    endpoints.edit(endpoint.id, url=new.url(), **about)  # type: ignore[arg-type]
    _until(sender, lambda: not _pending(new.url()))
    sender.close()
    seen = f"{len(old.requests)} to the old URL, {len(new.requests)} to the new one"
    return Finding(what="row 19, a URL edited while due", seen=seen, is_kept=len(new.requests) == 1)


def _switched_off(servers: Receivers) -> Finding:
    receiver = servers.answering()
    endpoint = _endpoint(receiver.url())
    about = {"workspace_id": endpoint.workspace_id, "actor": SYSTEM, "now": database_now()}
    endpoints.deactivate(endpoint.id, **about)  # type: ignore[arg-type]
    sender = _sender()
    for _ in range(10):
        sender.step()
    sender.close()
    endpoints.suppress_unheard(now=database_now(), limit=1000)
    status = Delivery.objects.get(endpoint=endpoint).status
    seen = f"{len(receiver.requests)} requests, {status}"
    return Finding(
        what="row 19, an endpoint switched off while due", seen=seen,
        is_kept=not receiver.requests and status == "suppressed",
    )  # fmt: skip


def _refused() -> Finding:
    workspace = Workspace.objects.create(name="Hostile")
    wrong = []
    for field, said in _INJECTIONS:
        given = {"name": "CRM", "url": "http://crm.example/", "events": ["*"], **said}
        try:
            endpoints.create(workspace.id, actor=SYSTEM, now=database_now(), **given)  # type: ignore[arg-type]
        except InvalidEndpoint as refused:
            wrong += [] if field in refused.errors else [field]
        else:
            wrong.append(field)
    return Finding(
        what="row 22, headers, secrets, types and URLs that inject, refused by their field",
        seen=f"{len(_INJECTIONS) - len(wrong)} of {len(_INJECTIONS)}", is_kept=not wrong,
    )  # fmt: skip


def _endpoint(url: str) -> Endpoint:
    """Make an endpoint with one delivery to it."""
    workspace = Workspace.objects.create(name="Hostile")
    endpoint: Endpoint = Endpoint.objects.create(
        workspace=workspace, name="CRM", url=url, events=["*"], secret="hostile", backoff_ms=200  # noqa: S106
    )  # fmt: skip
    endpoints.send_test(endpoint.id, workspace_id=workspace.id, actor=SYSTEM, now=database_now())
    return endpoint


def _pending(url: str) -> bool:
    return Delivery.objects.filter(endpoint__url=url, status="pending").exists()


def _sender() -> Sender:
    return Sender(Transport(allowed_networks=ALLOWED), clock=database_now)


def _until(sender: Sender, is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not is_so() and time.monotonic() < until:
        sender.step()
