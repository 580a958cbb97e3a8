"""Faults sent through routes: what each answers, and that nothing is stored."""

import json
from collections.abc import Iterable
from typing import Any

from django.apps import apps

from tests.api.client import Answer, Api, error_of
from tests.api.queue_rows import live_call, make_callback, open_campaign, soon
from tests.factories import make_contact, make_line, make_persona

NO_NUMBER: tuple[Any, ...] = (True, "5", 5.0, 1.5, [5], {}, -1, 0)
"""Values that are no count of anything; ``None`` leaves a field to the next level."""


class Site(Api):
    """An admin key's client in a workspace that has one of everything that a request can name."""

    def __init__(self) -> None:
        super().__init__(scope="admin")
        campaign = open_campaign(self.workspace, line=make_line(self.workspace, is_default=True))
        self.campaign = campaign.public_id
        self.persona = make_persona(self.workspace).public_id
        self.contact = make_contact(self.workspace).public_id
        self.callback = make_callback(campaign, at=soon(hours=5)).pk
        self.live_call = live_call(campaign).public_id

    def call(self, **fields: Any) -> Answer:
        return self.post("calls/", {"contact": {"phone": "+493012345"}, "persona_id": self.persona, **fields})

    def new_campaign(self, **fields: Any) -> Answer:
        return self.post("campaigns/", {"name": "Q1", "persona_id": self.persona, **fields})

    def change_campaign(self, **fields: Any) -> Answer:
        return self.patch(f"campaigns/{self.campaign}/", fields)

    def preview(self, **fields: Any) -> Answer:
        question = {"time_zone": "UTC", "first_attempt_at": "2025-03-03T10:00:00Z", "outcomes": ["busy"]}
        return self.post("callbacks/preview/", {**question, **fields})

    def promise(self, **fields: Any) -> Answer:
        return self.post("callbacks/", {"contact_id": self.contact, "campaign_id": self.campaign, **fields})


def everything() -> str:
    """Return all that is stored, but for when a key was last used."""
    rows: list[Any] = []
    for model in apps.get_models():
        if model._meta.app_label in ("workspaces", "dialer", "callbacks", "webhooks"):  # noqa: SLF001
            rows += [model.__name__, *model._base_manager.order_by("pk").values()]  # noqa: SLF001
    for row in rows:
        if isinstance(row, dict):
            row.pop("last_used_at", None)
    return repr(rows)


def wrong(answer: Answer, path: str) -> str:
    """Say what is wrong with the answer to a fault; empty: nothing."""
    if answer.status_code != 400:
        return f"{answer.status_code} {answer.content[:200]!r}"
    named = error_of(answer)["fields"]
    return "" if list(named) == [path] and all(named[path]) else f"named {named}"


def faults_of(cases: Iterable[tuple[Any, str, Answer]]) -> dict[str, str]:
    """Return what is wrong, by what was sent; sends all of them, and compares what is stored before and after."""
    before = everything()
    found = {f"{json.dumps(given)[:120]} -> {path}": wrong(answer, path) for given, path, answer in cases}
    assert everything() == before, "something was stored"
    return {sent: fault for sent, fault in found.items() if fault}
