"""An id of another workspace is refused as one that does not exist is, wherever a request takes an id."""

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from dialer.workspaces.ids import new_id, public_id
from dialer.workspaces.models import PublicId, Workspace
from tests.api.client import Answer, Api, error_of
from tests.api.queue_rows import make_callback, open_campaign, soon
from tests.api.routes import BODIES, ROWS
from tests.audit.api_stories import STORIES, Asked
from tests.audit.trace import changed_since, rows_of_all_tables
from tests.factories import (
    make_call,
    make_campaign_contact,
    make_contact,
    make_line,
    make_persona,
    make_policy,
    make_workspace,
)
from tests.isolation.id_fields import IdField, id_fields
from tests.webhooks.rows import make_delivery, make_endpoint

pytestmark = pytest.mark.django_db

FIELDS = id_fields()
ROW: dict[str, Callable[[Workspace], Any]] = {
    "call": lambda workspace: make_call(make_contact(workspace)),
    "callback": lambda workspace: make_callback(open_campaign(workspace), at=soon(hours=5)),
    "camp": open_campaign,
    "chn": lambda workspace: make_campaign_contact(open_campaign(workspace)),
    "ct": make_contact,
    "evt": lambda workspace: make_delivery(make_endpoint(workspace)).event,
    "line": make_line,
    "per": make_persona,
    "pol": make_policy,
    "wh": make_endpoint,
}
"""A row for each kind of id; a new kind that is missing here fails the tests."""

ONE_BY_ONE = {
    "POST:callbacks/bulk/#ids.*": "each callback answers for itself",
    "POST:campaigns/#contact_ids.*": "good contacts go in, each bad one is named",
    # Found by their filter or not, as a list does.
    "POST:callbacks/bulk/#filter.campaign": "a filter that finds nothing",
    "POST:callbacks/bulk/#filter.campaign_id": "a filter that finds nothing",
    "POST:callbacks/bulk/#filter.contact_id": "a filter that finds nothing",
    "POST:callbacks/bulk/#filter.persona": "a filter that finds nothing",
    "POST:callbacks/bulk/#filter.persona_id": "a filter that finds nothing",
}
"""Fields whose ids are no reason to refuse the whole request, each with what becomes of one that does not exist."""

ALONE = {
    "POST:callbacks/bulk/#ids.*": ("filter",),
    "POST:callbacks/bulk/#persona_id": ("filter",),
    "POST:messages/#call_id": ("contact_id",),
}
"""What must be left out of a body that is in order, so that the field can be given."""

_OF_THE_ANSWER = re.compile(r'"(id|created_at|updated_at|\w*secret\w*)":"[^"]*",?')


@pytest.mark.parametrize("field", [field for field in FIELDS if str(field) not in ONE_BY_ONE], ids=str)
def test_an_id_of_another_workspace_is_answered_as_one_that_does_not_exist(field: IdField) -> None:
    theirs = make_workspace(name="Globex")
    foreign, missing = id_of(ROW[field.prefix](theirs)), id_of_nothing(field.prefix)
    api = Api(scope="admin")
    asked = story_of(field, api.workspace)
    rows = rows_of_all_tables()

    answers = [asked_with(api, field, asked, named) for named in (foreign, missing)]

    assert alike(answers[0], foreign) == alike(answers[1], missing)
    assert not changed_since(rows)
    if answers[0].status_code == 200:
        assert field.operation.method == "GET", "only a list that finds nothing is an answer"
        assert answers[0].json()["results"] == []
    else:
        assert set(error_of(answers[0])["fields"]) == {field.name}, answers[0].content


@pytest.mark.parametrize("field", [field for field in FIELDS if str(field) in ONE_BY_ONE], ids=str)
def test_an_id_of_another_workspace_does_nothing_there_that_one_of_nothing_would_not(field: IdField) -> None:
    theirs = make_workspace(name="Globex")
    foreign, missing = id_of(ROW[field.prefix](theirs)), id_of_nothing(field.prefix)
    api = Api(scope="admin")
    asked = story_of(field, api.workspace)
    rows = rows_of_all_tables(theirs)

    answers = [asked_with(api, field, asked, named) for named in (foreign, missing)]

    assert alike(answers[0], foreign) == alike(answers[1], missing)
    assert rows_of_all_tables(theirs) == rows


def test_contacts_of_another_workspace_are_not_put_into_a_campaign() -> None:
    """Entries of a list of ids and objects have no form in the schema."""
    theirs = make_workspace(name="Globex")
    foreign, missing = id_of(make_contact(theirs)), id_of_nothing("ct")
    api = Api()
    campaign = open_campaign(api.workspace)
    everything = rows_of_all_tables()

    answers = [
        api.post(f"campaigns/{campaign.public_id}/contacts/", {"contacts": [named]}) for named in (foreign, missing)
    ]

    assert alike(answers[0], foreign) == alike(answers[1], missing)
    assert answers[0].json()["refused"] == [{"index": 0, "field": "contact_id", "reason": "is not a contact of yours"}]
    assert not changed_since(everything)


def test_ones_own_ids_are_taken_where_others_are_refused() -> None:
    """The bodies are in order but for the id: each request that is refused above is done with an id of one's own."""
    refusing = [field for field in FIELDS if str(field) not in ONE_BY_ONE and field.operation.method != "GET"]
    refused = {}
    for field in refusing:
        api = Api(scope="admin")
        asked = story_of(field, api.workspace)
        answer = asked_with(api, field, asked, id_of(ROW[field.prefix](api.workspace)))
        if not 200 <= answer.status_code < 300:
            refused[str(field)] = answer.content

    assert refused == {}


def test_fields_that_are_answered_one_by_one_are_there() -> None:
    assert set(ONE_BY_ONE) | set(ALONE) <= {str(field) for field in FIELDS}


def id_of(row: Any) -> str | int:
    return row.public_id if isinstance(row, PublicId) else int(row.pk)


def id_of_nothing(prefix: str) -> str | int:
    return 2**40 if prefix == "callback" else public_id(prefix, new_id())


def story_of(field: IdField, workspace: Workspace) -> Asked:
    """Return a request of the field's operation that is in order."""
    operation = field.operation
    if str(field) == "POST:callbacks/bulk/#persona_id":
        return Asked(body={"action": "edit", "ids": [ROW["callback"](workspace).pk]})
    for story in STORIES:
        if story.operation == str(operation):
            return story.asks(workspace)
    named = ROWS[operation.resource](workspace) if "{" in operation.path else ""
    return Asked(named=named, body=BODIES["campaigns/{id}/preview/"]() if operation.method == "POST" else None)


def asked_with(api: Api, field: IdField, asked: Asked, named: str | int) -> Answer:
    """Send the request with ``named`` in the field."""
    operation = field.operation
    path = operation.filled(asked.named)
    if field.is_in_query:
        query = {"type": "call.ended"} if operation.path == "webhooks/audience/" else {}
        path += f"?{urlencode({**query, field.name: named})}"
        if isinstance(asked.body, bytes):
            return api.send(operation.method, path, asked.body, content_type="text/csv")
        return api.send(operation.method, path)
    body = {name: value for name, value in asked.body.items() if name not in ALONE.get(str(field), ())}
    scope = {"scope_type": "campaign"} if field.name == "scope_id" else {}
    return api.send(operation.method, path, {**field.put_into(body, named), **scope})


def alike(answer: Answer, named: str | int) -> tuple[int, str]:
    """Return status and body without what differs between any two answers."""
    text = json.dumps(json.loads(answer.content), separators=(",", ":")).replace(str(named), "…")
    return answer.status_code, _OF_THE_ANSWER.sub("", text)
