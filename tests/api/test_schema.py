"""The OpenAPI schema: valid by another validator, named where things repeat, and made once."""

import json
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from openapi_spec_validator import OpenAPIV31SpecValidator

from dialer.workspaces.api.errors import codes_of
from tests.api.client import Api
from tests.api.described import faults_of_body
from tests.api.routes import operations, schema


def test_it_is_made_without_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", "/dev/null")

    assert "rror" not in capsys.readouterr().err


def test_another_validator_finds_no_fault() -> None:
    assert [str(fault) for fault in OpenAPIV31SpecValidator(schema()).iter_errors()] == []


def test_either_form_of_the_key_is_enough() -> None:
    for operation in operations():
        assert operation.spec["security"] == [{"bearer": []}, {"apiKeyHeader": []}]


def test_operations_have_names_of_their_own_that_read_as_the_path_does() -> None:
    names = [operation.spec["operationId"] for operation in operations()]

    assert len(set(names)) == len(names)
    assert {"callbacks_call_now", "campaigns_start", "contacts_list", "webhooks_replays_stop"} <= set(names)


def test_ids_in_paths_have_their_form() -> None:
    for operation in operations():
        for parameter in operation.spec.get("parameters", ()):
            if parameter["in"] == "path":
                assert "pattern" in parameter["schema"] or parameter["schema"]["type"] == "integer", str(operation)


def test_what_repeats_has_a_name() -> None:
    """A client gets one class for each of these instead of one per place."""
    text = json.dumps(schema())

    assert text.count('"callback_retry_schedule": {') == 6, "one per kind of schedule, and that in force"
    for name in ("Schedule", "CampaignSchedule", "ContactLimits", "RetryRules", "InlineWebhookRequest", "Error409"):
        assert f'/{name}"' in text


def test_null_is_said_as_openapi_3_1_says_it() -> None:
    assert '"nullable"' not in json.dumps(schema())


def test_bodies_say_that_unknown_fields_are_refused() -> None:
    shapes = schema()["components"]["schemas"]
    bodies = {name: shape for name, shape in shapes.items() if name.endswith("Request")}
    open_ones = [name for name, shape in bodies.items() if shape.get("additionalProperties") is not False]

    assert open_ones == ["RetryRulesRequest"], "which is one of two forms, both closed"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "parse_error"),
        (409, "campaign_not_startable"),
        (409, "contact_suppressed"),
        (409, "idempotency_key_reused"),
        (409, "outside_window"),
        (409, "endpoint_inactive"),
        (414, "uri_too_long"),
    ],
)
def test_the_codes_of_errors_are_listed(status: int, code: str) -> None:
    (body,) = (shape for name, shape in schema()["components"]["schemas"].items() if name == "ErrorBody")

    assert code in codes_of(status)
    assert code in body["properties"]["code"]["enum"]
    assert f"`{code}`" in schema()["components"]["responses"][f"Error{status}"]["description"]


def test_what_an_answer_makes_is_linked_to_what_can_be_done_with_it() -> None:
    links = schema()["paths"]["/api/v1/campaigns/"]["post"]["responses"]["201"]["links"]

    assert links["campaigns_start"] == {"operationId": "campaigns_start", "parameters": {"id": "$response.body#/id"}}
    assert {"campaigns_retrieve", "campaigns_stats", "campaigns_cancel"} <= set(links)
    imported = schema()["paths"]["/api/v1/contacts/import/"]["post"]["responses"]["202"]["links"]
    assert set(imported) == {"imports_retrieve", "imports_problems"}


@pytest.mark.parametrize("kind", ["json", "yaml"])
def test_it_is_made_once_however_often_it_is_asked_for(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Client().get(f"/api/schema/?format={kind}")

    def never(*_: object, **__: object) -> Any:
        pytest.fail("the schema was made again: seconds of work that anyone can ask for")

    monkeypatch.setattr(SchemaGenerator, "get_schema", never)
    second = Client().get(f"/api/schema/?format={kind}")

    assert second.content == first.content


@pytest.mark.django_db
def test_null_leaves_a_part_of_a_policy_out_as_the_schema_says() -> None:
    body = {
        "name": "Mine",
        "rules": {"number_of_retries": 1, "interval_minutes": 5, "mechanism": None, "on_status": ["busy"]},
    }

    answer = Api().post("retry-policies/", body)

    assert answer.json()["rules"] == {"busy": {"delays": [5], "limit": 1}}
    assert faults_of_body("RetryPolicyRequest", body) == []
