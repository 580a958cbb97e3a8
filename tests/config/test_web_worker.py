"""What gunicorn answers by itself, before a request reaches the application."""

import json
import logging
import socket

import pytest
from gunicorn.http.errors import InvalidRequestMethod, LimitRequestHeaders, LimitRequestLine

from config.web_worker import WebWorker


def answered(error: Exception) -> tuple[str, dict[str, str], bytes]:
    """Return status, headers and body of the answer to a request that cannot be read."""
    worker = WebWorker.__new__(WebWorker)
    worker.log = logging.getLogger("web")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        worker.handle_error(None, ours, ("127.0.0.1", 1), error)
        ours.shutdown(socket.SHUT_WR)
        head, _, body = theirs.recv(65_536).partition(b"\r\n\r\n")
    status, *headers = head.decode().split("\r\n")
    return status.split(" ")[1], dict(line.split(": ", 1) for line in headers), body


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (LimitRequestLine(5_000, 4_094), "414", "uri_too_long"),
        (LimitRequestHeaders("limit request headers fields size"), "431", "headers_too_large"),
    ],
)
def test_a_request_that_is_too_long_is_refused_in_the_shape_of_all_errors(
    error: Exception, status: str, code: str
) -> None:
    found, headers, body = answered(error)

    assert (found, headers["Content-Type"]) == (status, "application/json")
    assert int(headers["Content-Length"]) == len(body)
    assert json.loads(body)["error"].keys() == {"code", "message", "fields", "details"}
    assert json.loads(body)["error"]["code"] == code


def test_what_is_no_http_is_left_to_gunicorn() -> None:
    assert answered(InvalidRequestMethod("{}"))[0] == "400"
