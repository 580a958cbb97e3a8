"""Loaded by Schemathesis: counts what is sent, and adds two checks of ours to its own."""

import atexit
import json
import os
import re
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

import schemathesis

_counted: Counter[str] = Counter()
_numbers = count()
_IDS = re.compile(r"\b[a-z]+_[0-7][0-9a-z]{25}\b")
_foreign = frozenset(json.loads(Path(os.environ["FUZZ_FOREIGN"]).read_text()))


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Give each request a key of its own where it has a valid one: most would be refused as repetitions."""
    if 1 <= len((case.headers or {}).get("Idempotency-Key", "")) <= 255:
        case.headers["Idempotency-Key"] = f"{next(_numbers)}"


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    _counted[str(response.status_code)] += 1


@schemathesis.check
def a_refusal_names_what_is_wrong(ctx: Any, response: Any, case: Any) -> None:
    """A 400 has the one shape, and says which field is at fault or that the body could not be read."""
    if response.status_code == 400:
        error = response.json()["error"]
        assert set(error) == {"code", "message", "fields", "details"}
        assert error["fields"] or error["code"] == "parse_error", error


@schemathesis.check
def nothing_of_another_workspace_is_shown(ctx: Any, response: Any, case: Any) -> None:
    """No answer has an id of the other workspace."""
    shown = _foreign.intersection(_IDS.findall(response.text))
    assert not shown, shown


@atexit.register
def _write() -> None:
    Path(os.environ["FUZZ_COUNTS"]).write_text(json.dumps(_counted))
