"""What holds for every route, asked of each: no route can be added that forgets it."""

import random
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver

from tests.api.client import Api, error_of
from tests.api.routes import BODIES, ROWS, Operation, operations, schema
from tests.factories import make_workspace

pytestmark = pytest.mark.django_db

EVERY = operations()
ON_A_ROW = [operation for operation in EVERY if "{" in operation.path]
WRITING_JSON = [operation for operation in EVERY if operation.takes_json]
LISTS = [operation for operation in EVERY if operation.is_list]
POSTS_THAT_MAKE_NOTHING = {
    "callbacks/preview/",
    "campaigns/{id}/preview/",
    "retry-policies/{id}/preview/",
    # Verbs that check the state they leave: a second one changes nothing and is a conflict.
    "api-keys/{id}/revoke/",
    "callbacks/bulk/{id}/stop/",
    "calls/{id}/analysis/",
    "calls/{id}/cancel/",
    "calls/{id}/mark-handled/",
    "calls/{id}/mark-reached/",
    "calls/{id}/recording/",
    "calls/{id}/request-dnc/",
    "calls/{id}/was-a-person/",
    "campaigns/{id}/cancel/",
    "campaigns/{id}/pause/",
    "campaigns/{id}/resume/",
    "campaigns/{id}/revoke-report-addresses/",
    "campaigns/{id}/start/",
}


def body_for(operation: Operation) -> dict[str, Any] | None:
    if operation.path in BODIES:
        return BODIES[operation.path]()
    return {} if operation.takes_json else None


@pytest.mark.parametrize("operation", [o for o in ON_A_ROW if o.method == "GET"], ids=str)
def test_ones_own_row_is_found(operation: Operation) -> None:
    api = Api(scope=operation.scope)

    answer = api.get(operation.filled(ROWS[operation.resource](api.workspace)))

    assert answer.status_code == 200, answer.content


@pytest.mark.parametrize("operation", WRITING_JSON, ids=str)
def test_a_field_that_is_not_known_is_refused_by_its_name(operation: Operation) -> None:
    api = Api(scope="admin")
    named = ROWS[operation.resource](api.workspace) if "{" in operation.path else ""

    answer = api.send(operation.method, operation.filled(named), {"nonsense": 1})

    assert answer.status_code == 400, answer.content
    assert error_of(answer)["fields"]["nonsense"] == ["is not a known field"]


@pytest.mark.parametrize("operation", LISTS, ids=str)
def test_a_list_shows_nothing_of_other_workspaces_and_refuses_unknown_parameters(operation: Operation) -> None:
    other = make_workspace()
    api = Api(scope=operation.scope)
    path = operation.filled(ROWS[operation.resource](api.workspace)) if "{" in operation.path else operation.path
    before = api.get(path)
    for make in ROWS.values():
        make(other)

    shown = api.get(path)
    refused = api.get(path, nonsense="1")

    assert shown.status_code == 200, shown.content
    assert shown.json()["results"] == before.json()["results"]
    assert error_of(refused)["fields"] == {"nonsense": ["is not a known field"]}


@pytest.mark.parametrize("operation", [o for o in LISTS if "{" not in o.path], ids=str)
def test_a_list_costs_as_many_queries_with_one_row_as_with_five(operation: Operation) -> None:
    api = Api(scope=operation.scope)
    api.get(operation.path)  # the first request of a key writes when it was used
    counts = []
    for rows in (1, 4):
        for _ in range(rows):
            ROWS[operation.resource](api.workspace)
        with CaptureQueriesContext(connection) as queries:
            assert api.get(operation.path).json()["results"]
        counts.append(len(queries))

    assert counts[0] == counts[1]


@pytest.mark.parametrize("operation", [o for o in EVERY if o.method == "POST"], ids=str)
def test_whatever_creates_takes_an_idempotency_key(operation: Operation) -> None:
    names = {parameter["name"] for parameter in operation.spec.get("parameters", ())}

    assert ("Idempotency-Key" in names) is (operation.path not in POSTS_THAT_MAKE_NOTHING)


@pytest.mark.parametrize("operation", EVERY, ids=str)
def test_every_operation_documents_its_errors(operation: Operation) -> None:
    documented = operation.spec["responses"]

    assert {"400", "401", "403", "404", "429", "500"} <= set(documented)
    for status, answer in documented.items():
        if int(status) >= 400:
            assert answer == {"$ref": f"#/components/responses/Error{status}"}


def test_the_schema_lists_every_route() -> None:
    listed = {path.replace("{", "<").replace("}", ">") for path in schema()["paths"]}
    served = {_plain(path) for path in _paths(get_resolver().url_patterns) if path.startswith("api/v1/")}

    assert {_plain(path.lstrip("/")) for path in listed} == served - {"api/v1/<>"}


def test_the_schema_and_the_docs_page_are_served_without_a_key_and_without_other_hosts() -> None:
    described = Client().get("/api/schema/", headers={"Accept": "application/json"})
    page = Client().get("/api/docs/").content.decode()

    assert described.status_code == 200
    assert described.json()["openapi"].startswith("3.")
    assert "http://" not in page
    assert "https://" not in page
    assets = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(assets) >= 4
    for asset in assets:
        assert Client().get(asset).status_code == 200, asset


NASTY: tuple[object, ...] = (
    None,
    True,
    -1,
    2**70,
    1.5,
    "",
    "x" * 5_000,
    "\u202e€",
    [],
    [None],
    [[]],
    {},
    {"a": {"b": []}},
)


@pytest.mark.parametrize("operation", WRITING_JSON, ids=str)
def test_no_body_breaks_a_route_or_brings_an_answer_that_is_not_documented(operation: Operation) -> None:
    api = Api(scope="admin")
    named = ROWS[operation.resource](api.workspace) if "{" in operation.path else ""
    path = operation.filled(named)
    bodies: list[object] = [body for body in NASTY if not isinstance(body, dict)]
    valid = body_for(operation) or {}
    properties = _properties(operation)
    bodies += [{**valid, name: value} for name in properties for value in NASTY]
    picked = random.Random(str(operation)).sample(bodies, min(len(bodies), 15))  # noqa: S311 — chance, the same each run

    for body in picked:
        answer = api.send(operation.method, path, b"null" if body is None else body)
        assert answer.status_code < 500, (body, answer.content)
        assert str(answer.status_code) in operation.spec["responses"], (body, answer.content)
        if answer.status_code >= 400:
            error_of(answer)


NASTY_TEXTS = ("", "x", "0", "-1", "9" * 40, "٣", "\u202e", "a\x00b", "%", "null", "x" * 5_000, "2025-13-45T99:99:99Z")


@pytest.mark.parametrize("operation", [o for o in EVERY if o.method == "GET"], ids=str)
def test_no_parameter_breaks_a_route_or_brings_an_answer_that_is_not_documented(operation: Operation) -> None:
    api = Api(scope=operation.scope)
    path = operation.filled(ROWS[operation.resource](api.workspace)) if "{" in operation.path else operation.path
    names = [parameter["name"] for parameter in operation.spec.get("parameters", ()) if parameter["in"] == "query"]

    for name in names:
        for value in NASTY_TEXTS:
            answer = api.get(path, **{name: value})
            assert answer.status_code in (200, 400), (name, value, answer.content)


@pytest.mark.parametrize("operation", ON_A_ROW, ids=str)
def test_an_id_of_any_other_form_is_not_found(operation: Operation) -> None:
    api = Api(scope="admin")

    for named in ("x", "0", "9" * 40, "%00", "%20", "call_", "per_" + "z" * 26, "\u0663"):
        answer = api.send(operation.method, operation.filled(named), body_for(operation))
        assert answer.status_code == 404, (named, answer.content)
        error_of(answer)


def _properties(operation: Operation) -> dict[str, Any]:
    content = operation.spec.get("requestBody", {}).get("content", {}).get("application/json", {})
    reference = content.get("schema", {}).get("$ref", "")
    component = schema()["components"]["schemas"].get(reference.rpartition("/")[2], {})
    properties: dict[str, Any] = component.get("properties", {})
    return properties


def _paths(patterns: list[URLPattern | URLResolver], before: str = "") -> list[str]:
    found = []
    for pattern in patterns:
        here = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            found += _paths(pattern.url_patterns, here)
        else:
            found.append(here)
    return found


def _plain(path: str) -> str:
    """Write a route of any kind of pattern in one way: ``api/v1/calls/<>/cancel/``."""
    text = path.replace("^", "").replace("$", "").replace("\\", "").replace("Z", "")
    text = re.sub(r"\(\?P<\w+>[^)]*\)", "<>", text)
    return re.sub(r"<[^>]*>", "<>", text)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/api/", "/api/v1/", "/api/v2/calls/", "/api/nothing", "/api/v1/nothing%0A/"])
def test_a_path_that_leads_nowhere_answers_in_the_shape_of_all_errors(path: str, method: str) -> None:
    answer = Client().generic(method, path)

    assert (answer.status_code, error_of(answer)["code"]) == (404, "not_found")
    assert answer.headers["Content-Type"] == "application/json"


def test_elsewhere_a_path_that_leads_nowhere_is_a_page() -> None:
    answer = Client().get("/nothing/")

    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("query", "kind"),
    [("", "application/json"), ("?format=json", "application/json"), ("?format=yaml", "application/yaml")],
)
def test_the_schema_comes_in_the_format_asked_for(query: str, kind: str) -> None:
    answer = Client().get(f"/api/schema/{query}")

    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (200, kind)


def test_a_format_that_the_schema_has_not_is_told_in_the_shape_of_all_errors() -> None:
    answer = Client().get("/api/schema/?format=xml")

    assert (answer.status_code, error_of(answer)["code"]) == (404, "not_found")
