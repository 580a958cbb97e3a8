"""An application that reads every body, under the web worker with deadlines that a test can wait for."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from config import arriving

arriving.SECONDS = float(os.environ["SLOW_SECONDS"])


def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    answer = str(len(environ["wsgi.input"].read())).encode()
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]
