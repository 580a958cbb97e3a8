"""The simulated carrier's adapter for a worker that is to die between its commit and the carrier's answer."""

import http.client
import json
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from dialer.carriers.base import Answer, PlaceRequest
from dialer.carriers.exchange import Response
from dialer.carriers.simulated import SimulatedCarrier
from tests.chaos.plan import Point, fate


class DeadlyCarrier(SimulatedCarrier):
    """Speaks to the carrier as ever, unless this is where the worker dies."""

    def place(self, request: PlaceRequest) -> Answer:
        if fate().is_here(Point.BEFORE_REQUEST):
            fate().die(Point.BEFORE_REQUEST)
        return super().place(request)

    def _request(self, path: str, body: Mapping[str, object] | None = None) -> Response:
        if path == "/calls" and fate().is_here(Point.BEFORE_ANSWER):
            # What the kernel has taken reaches the carrier although the sender is dead by then.
            where = urlsplit(self._base_url)
            connection = http.client.HTTPConnection(where.hostname or "", where.port)
            headers = {"Authorization": f"Bearer {self._secret}", "Content-Type": "application/json"}
            with suppress(OSError):  # a carrier that is killed too takes nothing
                connection.request("POST", path, json.dumps(body), headers)
            fate().die(Point.BEFORE_ANSWER)
        return super()._request(path, body)
