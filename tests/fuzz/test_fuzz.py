"""The short form of ``make fuzz``: random requests that follow each other, from the schema that is served."""

from pathlib import Path
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from tests.fuzz.asking import ask
from tests.fuzz.furnishing import furnish


@pytest.mark.django_db(transaction=True)
def test_random_requests_find_no_fault(live_server: LiveServer, tmp_path: Path, settings: Any) -> None:
    settings.API_RATE_PER_MINUTE = 10**9
    foreign = tmp_path / "foreign.json"
    key = furnish(foreign)
    options = ("--phases=fuzzing,stateful", "--max-examples=2", "--max-time=12")

    asked = ask(live_server.url, *options, key=key, foreign=foreign, folder=tmp_path, seed=1)

    assert asked.is_in_order, asked.told
    assert asked.requests.total() >= 20, "a busy machine makes few, an idle one hundreds"
