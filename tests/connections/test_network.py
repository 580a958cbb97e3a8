"""Who speaks to the outside: a module that begins to is to be watched too (``test_given_back``)."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
SPEAKS = {"asyncio", "dns", "http", "httpx", "pycurl", "requests", "smtplib", "socket", "urllib3"}
WATCHED = {
    "dialer/carriers/exchange.py": "asks carriers over HTTP",
    "dialer/carriers/simulated.py": "places, looks up, hangs up and sends, by it",
    "dialer/carriers/twilio.py": "does so at Twilio",
    "dialer/carriers/twilio_words.py": "knows HTTP's status codes and asks nobody",
    "webhooks/resolver.py": "asks name servers",
    "webhooks/transport.py": "posts to receivers",
}
"""Modules of the product that ask others, each with what they do."""
_THE_CARRIER_ITSELF = "dialer/carriers/simulation/"


def test_only_modules_that_are_watched_speak_to_the_outside() -> None:
    modules = [path for app in ("callbacks", "dialer", "webhooks") for path in (ROOT / app).rglob("*.py")]
    found = {path.relative_to(ROOT).as_posix() for path in modules if _imports(path) & SPEAKS}

    assert {name for name in found if not name.startswith(_THE_CARRIER_ITSELF)} == set(WATCHED)


def _imports(path: Path) -> set[str]:
    """Return the packages that a module imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module.partition(".")[0], node.module}
    return names | ({"http"} if {"http.client", "urllib.request"} & names else set())
