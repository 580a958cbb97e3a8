"""The worker class of gunicorn: requests too long to be read get the one shape of errors, as all others do."""

import json
from http import HTTPStatus
from socket import socket
from typing import Any

from gunicorn import util
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine
from gunicorn.workers.gthread import ThreadWorker

_TOO_LONG = {
    LimitRequestLine: (HTTPStatus.REQUEST_URI_TOO_LONG, "uri_too_long", "The address is too long."),
    LimitRequestHeaders: (
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "headers_too_large",
        "The headers are too large.",
    ),
}


class WebWorker(ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """Answers in JSON where gunicorn writes HTML; its path is not known yet, so this holds for the admin too."""

    def handle_error(self, req: object, client: socket, addr: Any, exc: Exception) -> None:  # noqa: ANN401 — gunicorn's signature
        if type(exc) not in _TOO_LONG:
            super().handle_error(req, client, addr, exc)
            return
        status, code, message = _TOO_LONG[type(exc)]
        self.log.warning("web.refused status=%d error=%s", status, exc)
        body = json.dumps({"error": {"code": code, "message": message, "fields": {}, "details": {}}}).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            util.write_nonblock(client, head.encode() + body)
        except OSError:
            self.log.debug("web.refusal_not_sent status=%d", status)
