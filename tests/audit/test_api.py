"""Every operation of the API that changes something says who did what, and why, or changes nothing."""

import json

import pytest

from dialer.workspaces.models import AuditEntry
from tests.admin.people import browser_of
from tests.api.client import Answer, Api
from tests.api.routes import BODIES, ROWS, Operation, operations, schema
from tests.audit.api_stories import ONLY_LOOKS, STORIES, Asked, Story
from tests.audit.trace import (
    AUDIT,
    WHY,
    audit_not_writable,
    changed_since,
    entries_since,
    newest_entry,
    rows_of_all_tables,
)

pytestmark = pytest.mark.django_db

OPERATIONS = {str(operation): operation for operation in operations()}
CHANGING = {name for name, operation in OPERATIONS.items() if operation.method != "GET"} - set(ONLY_LOOKS)


def test_every_operation_that_changes_something_has_a_story_here() -> None:
    assert {story.operation for story in STORIES} == CHANGING
    assert set(ONLY_LOOKS) <= set(OPERATIONS)


@pytest.mark.parametrize("story", STORIES, ids=str)
def test_a_change_leaves_who_did_what_and_why(story: Story) -> None:
    api = Api(scope="admin")
    asked = story.asks(api.workspace)
    newest, rows = newest_entry(), rows_of_all_tables()

    answer = sent(api, story, asked)

    assert 200 <= answer.status_code < 300, answer.content
    assert changed_since(rows) - {AUDIT}, "the story changes nothing: it proves nothing"
    entry = the_entry(story, asked, answer, since=newest)
    assert entry.workspace_id == api.workspace.pk
    assert (entry.actor_kind, entry.actor_id, entry.actor_label) == ("key", api.key.public_id, api.key.name)
    if takes_a_reason(story):
        assert entry.reason == WHY


@pytest.mark.parametrize("story", STORIES, ids=str)
def test_nothing_is_changed_where_the_entry_cannot_be_written(story: Story) -> None:
    api = Api(scope="admin")
    asked = story.asks(api.workspace)
    rows = rows_of_all_tables()

    with audit_not_writable():
        answer = sent(api, story, asked)

    assert answer.status_code == 500, answer.content
    assert changed_since(rows) <= story.in_parts


@pytest.mark.parametrize("name", ONLY_LOOKS)
def test_what_only_looks_changes_nothing(name: str) -> None:
    api = Api(scope="admin")
    operation = OPERATIONS[name]
    path = operation.filled(ROWS[operation.resource](api.workspace)) if "{" in name else operation.path
    question = BODIES["campaigns/{id}/preview/"]()
    rows = rows_of_all_tables()

    answer = api.post(path, question)

    assert answer.status_code == 200, answer.content
    assert not changed_since(rows)


@pytest.mark.parametrize("story", {story.kind: story for story in STORIES}.values(), ids=str)
def test_an_entry_is_found_by_the_id_of_what_was_changed(story: Story) -> None:
    api = Api(scope="admin")
    asked = story.asks(api.workspace)
    newest = newest_entry()
    answer = sent(api, story, asked)
    entry = the_entry(story, asked, answer, since=newest)

    found = browser_of(api.workspace).get("/admin/workspaces/auditentry/", {"q": entry.object_id})

    assert entry.pk in [row.pk for row in found.context["cl"].result_list]


def sent(api: Api, story: Story, asked: Asked) -> Answer:
    operation = OPERATIONS[story.operation]
    path = operation.filled(asked.named)
    if isinstance(asked.body, bytes):
        return api.send(operation.method, path, asked.body, content_type="text/csv")
    body = {**(asked.body or {}), **({"reason": WHY} if takes_a_reason(story) else {})}
    return api.send(operation.method, path, body or None)


def the_entry(story: Story, asked: Asked, answer: Answer, *, since: int) -> AuditEntry:
    """Return the entry that says what the story says."""
    about = asked.about or asked.named
    if (story.kind == "callback" and story.operation.endswith("request-callback/")) or not about:
        about = str(json.loads(answer.content)["id"])
    found = entries_since(since)
    told = [(entry.verb, entry.object_type, entry.object_id) for entry in found]
    mine = [entry for entry in found if (entry.verb, entry.object_type) == (story.verb, story.kind)]
    mine = [entry for entry in mine if about in ("*", entry.object_id)]
    assert mine, f"no entry says {story.verb} {story.kind} {about}; there are {told}"
    return mine[0]


def takes_a_reason(story: Story) -> bool:
    return story.says_why or "reason" in _fields_of(OPERATIONS[story.operation])


def _fields_of(operation: Operation) -> set[str]:
    content = operation.spec.get("requestBody", {}).get("content", {}).get("application/json", {})
    reference = content.get("schema", {}).get("$ref", "")
    return set(schema()["components"]["schemas"].get(reference.rpartition("/")[2], {}).get("properties", {}))
