"""Every example of ``docs/api.md`` is executed in its order, as a reader would who fills in the ids that came back."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from config.demo.workspace import CALLER_ID
from dialer.models import Call
from dialer.workspaces.clock import database_now
from tests.api.client import Answer, Api
from tests.api.described import DescribedClient
from tests.api.queue_rows import live_call, make_callback, open_campaign, soon
from tests.factories import make_call, make_contact, make_line, make_persona
from tests.webhooks.rows import event_of, make_delivery, make_endpoint
from webhooks.models import Delivery

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
PEOPLE = b"name,phone\nJane Roe,+49301234567\n"


@dataclass(kw_only=True)
class Example:
    """One ``curl`` of the page."""

    url: str
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def examples() -> Iterator[Example]:
    """Read the commands of the page's shell blocks, in their order."""
    for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL):
        words = shlex.split(block.replace("\\\n", " "), comments=True)
        starts = [place for place, word in enumerate(words) if word == "curl"]
        for start, end in pairwise([*starts, len(words)]):
            yield example_in(words[start + 1 : end])


def day_of_the_page() -> str:
    """Run the first block of the page in a shell, and return what it makes of ``$day``."""
    block = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]
    return subprocess.run(  # noqa: S603 — the words of our own page
        ["/bin/sh", "-c", f'{block}\nprintf %s "$day"'], capture_output=True, text=True, check=True
    ).stdout


def example_in(arguments: list[str]) -> Example:
    example = Example(url="")
    words = iter(arguments)
    for word in words:
        match word:
            case "-s":
                pass
            case "-X":
                example.method = next(words)
            case "-H":
                name, _, value = next(words).replace("$json", "Content-Type: application/json").partition(": ")
                if name != "$key":
                    example.headers[name] = value
            case "-d" | "--data-binary":
                given = next(words)
                example.body = PEOPLE if given == "@people.csv" else given.encode()
                example.method = "POST" if example.method == "GET" else example.method
            case ">":
                next(words)
            case _:
                assert word.startswith("$api/"), word
                example.url = word.replace("$api/", "/api/v1/")
    return example


class Reader:
    """Runs examples and remembers the newest id of each kind."""

    def __init__(self) -> None:
        self.api = Api(scope="admin")
        make_line(self.api.workspace, is_default=True, caller_ids=[CALLER_ID])
        self.ids = {"per": make_persona(self.api.workspace).public_id}
        self.day = day_of_the_page()
        self.client = DescribedClient(
            headers={"Authorization": f"Bearer {self.api.plain}"}, raise_request_exception=False
        )

    def run(self, example: Example) -> Answer:
        self._prepare(example)
        body = self._filled(example.body.decode()).replace("$day", self.day).encode()
        answer = self.client.generic(
            example.method,
            self._filled(example.url),
            body,
            content_type=example.headers.get("Content-Type", ""),
            headers={name: value for name, value in example.headers.items() if name != "Content-Type"},
        )
        if answer.headers.get("Content-Type") == "application/json" and answer.content:
            self._remember(json.loads(answer.content))
        return answer

    def _prepare(self, example: Example) -> None:
        """Bring about what the page takes for granted at this place."""
        if example.url.endswith("request-callback/"):
            call = live_call(open_campaign(self.api.workspace))
            self.ids["call"] = call.public_id
        elif example.url.endswith("analysis/"):
            Call.objects.filter(status="in_progress").update(
                status="ended", outcome="answered", ended_at=database_now(), check_at=None
            )
        elif re.search(r"calls/call_…/(call-back|mark-reached|mark-handled)", example.url):
            self.ids["call"] = make_call(make_contact(self.api.workspace), status="ended", outcome="unknown").public_id
        elif example.url.endswith("redeliver/"):
            delivery = make_delivery(make_endpoint(self.api.workspace))
            Delivery.objects.filter(pk=delivery.pk).update(status="failed", settled_at=database_now())
            self.ids |= {"dlv": delivery.public_id, "evt": event_of(delivery).public_id}
        elif example.url.endswith("replay-items/"):
            batch = Delivery.objects.create(
                workspace=self.api.workspace,
                endpoint=make_endpoint(self.api.workspace, profile="batch"),
                batch_type="CallComplete",
                body=b"[]",
                status="failed",
                due_at=database_now(),
                settled_at=database_now(),
                created_at=database_now(),
            )
            self.ids["dlv"] = batch.public_id
        elif re.search(r"callbacks/42/(call-now|reschedule|skip)", example.url):
            self.ids["42"] = str(make_callback(open_campaign(self.api.workspace), at=soon(hours=5)).pk)

    def _filled(self, text: str) -> str:
        text = re.sub(r"\b([a-z]+)_…", lambda found: self.ids[found[1]], text)
        return re.sub(r"\b42\b", self.ids.get("42", "42"), text) if "callbacks/42/" in text else text

    def _remember(self, shown: Any) -> None:
        if isinstance(shown, dict) and isinstance(shown.get("id"), str):
            self.ids[shown["id"].rpartition("_")[0]] = shown["id"]
        if isinstance(shown, dict) and isinstance(shown.get("added"), list) and shown["added"]:
            self._remember(shown["added"][0])


def test_no_example_names_a_day_that_passes_or_is_too_far_ahead() -> None:
    named = [example.body.decode() + example.url for example in examples()]

    assert any("$day" in text for text in named)
    assert [text for text in named if re.search(r"\b20(2[6-9]|[3-9][0-9])-", text)] == []
    ahead = date.fromisoformat(day_of_the_page()) - datetime.now(tz=UTC).date()
    assert timedelta(days=1) < ahead < timedelta(days=14)


@pytest.mark.django_db(transaction=True)
def test_every_example_of_the_page_works_in_its_order(settings: Any) -> None:
    settings.WEBHOOK_DNS_SERVERS = ["127.0.0.1:9"]  # nobody is asked where the names of examples lead
    reader = Reader()
    count = 0

    for example in examples():
        answer = reader.run(example)
        assert 200 <= answer.status_code < 300, (example, answer.content)
        count += 1

    assert count >= 25
