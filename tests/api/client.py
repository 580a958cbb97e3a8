"""A client of the API, as other programs are: JSON over HTTP with a key."""

import json
from typing import Any

from dialer.workspaces import api_keys
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.models import ApiKey, Workspace
from tests.api.described import DescribedClient
from tests.factories import NOW, make_workspace

Answer = Any
"""Django's test response: ``status_code``, ``headers`` and ``json()``."""


class Api:
    """Speaks for one key; paths are given below ``/api/v1/``."""

    def __init__(self, workspace: Workspace | None = None, *, scope: str = "write", plain: str | None = None) -> None:
        self.workspace = workspace or make_workspace()
        self.key, self.plain = api_keys.issue(
            workspace_id=self.workspace.pk, name=f"{scope} key", scope=scope, actor=SYSTEM, now=NOW, plain=plain
        )
        # Used from here before: the entry about a key's first use is not what tests look for.
        ApiKey.objects.filter(pk=self.key.pk).update(addresses=["127.0.0.1"])
        self._client = DescribedClient(headers={"Authorization": f"Bearer {self.plain}"}, raise_request_exception=False)

    def get(self, path: str, **query: Any) -> Answer:
        return self._client.get(_url(path), query)

    def post(self, path: str, body: object = None, **headers: str) -> Answer:
        return self.send("POST", path, body, **headers)

    def patch(self, path: str, body: object = None) -> Answer:
        return self.send("PATCH", path, body)

    def delete(self, path: str, body: object = None) -> Answer:
        return self.send("DELETE", path, body)

    def send(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Send ``body`` as JSON, or as it is where it is bytes; ``idempotency_key="a"`` is a header."""
        return self._client.generic(
            method,
            _url(path),
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode(),
            content_type="application/json",
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )


def _url(path: str) -> str:
    return path if path.startswith(("/", "http")) else f"/api/v1/{path}"


def error_of(answer: Answer) -> dict[str, Any]:
    """Return the error in an answer, after checking that it has the one shape that all have."""
    body = json.loads(answer.content)
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    assert set(error) == {"code", "message", "fields", "details"}
    assert isinstance(error["code"], str)
    assert error["message"]
    for path, reasons in error["fields"].items():
        assert isinstance(path, str)
        assert reasons
        assert all(isinstance(reason, str) for reason in reasons)
    return error
