"""A client that another program generates from the schema does a day's work: what it lacks, integrators lack."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from pytest_django.live_server_helper import LiveServer

from tests.api.client import Api
from tests.api.routes import operations, schema
from tests.factories import make_line, make_persona

PACKAGE = "ringback_client"
_CONFIGURATION = """
content_type_overrides:  # files, which it takes as bytes
  text/csv: application/octet-stream
post_hooks: []
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Generate the client and let it be imported."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "schema.json").write_bytes(orjson.dumps(schema()))
    (folder / "configuration.yml").write_text(_CONFIGURATION)
    command = [str(Path(sys.executable).with_name("openapi-python-client")), "generate", "--meta=none"]
    command += ["--fail-on-warning", f"--config={folder / 'configuration.yml'}"]
    command += [f"--path={folder / 'schema.json'}", f"--output-path={folder / PACKAGE}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 — our own command
    assert done.returncode == 0, done.stdout + done.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield folder / PACKAGE


def of_operation(folder: Path, name: str) -> Any:
    """Return the module that asks one operation."""
    (path,) = folder.glob(f"api/*/{name}.py")
    return importlib.import_module(f"{PACKAGE}.api.{path.parent.name}.{name}")


def test_no_operation_is_missing_in_it(folder: Path) -> None:
    made = {path.stem for path in folder.glob("api/*/*.py")} - {"__init__"}

    assert made == {operation.spec["operationId"] for operation in operations()}


@pytest.mark.django_db(transaction=True)
def test_a_program_works_with_it(folder: Path, live_server: LiveServer) -> None:
    api = Api(scope="admin")
    make_persona(api.workspace)
    make_line(api.workspace, is_default=True)
    client = importlib.import_module(PACKAGE).AuthenticatedClient(base_url=live_server.url, token=api.plain)
    models: Any = importlib.import_module(f"{PACKAGE}.models")

    def ask(name: str, *path: Any, **given: Any) -> Any:
        return of_operation(folder, name).sync(*path, client=client, **given)

    jane = ask("contacts_create", body=models.ContactRequest(phone="+493012345678", name="Jane"))
    calls = [
        ask("calls_create", body=models.NewCallRequest(contact_id=jane.id), idempotency_key=key) for key in ("a", "a")
    ]
    schedule = models.CampaignScheduleRequest(callback_retry_schedule=[5, 15], auto_callback=True)
    asked = models.NewCampaignRequest(name="Q1", persona_id=calls[0].persona_id, schedule=schedule)
    campaign = ask("campaigns_create", body=asked)
    for number in range(4):
        ask("contacts_create", body=models.ContactRequest(phone=f"+49301234568{number}"))
    first = ask("contacts_list", limit=3)
    (cursor,) = parse_qs(urlsplit(first.next_).query)["cursor"]
    second = ask("contacts_list", limit=3, cursor=cursor)
    refused = ask("contacts_create", body=models.ContactRequest(phone="030 1"))
    missing = ask("campaigns_retrieve", jane.id)
    file = importlib.import_module(f"{PACKAGE}.types").File(payload=BytesIO(b"phone\n+493012345679\n"))
    imported = ask("contacts_import", body=file)
    report = of_operation(folder, "campaigns_report").sync_detailed(campaign.id, client=client)

    assert calls[0].contact_id == jane.id
    assert calls[0].id == calls[1].id
    assert ask("campaigns_retrieve", campaign.id).schedule.callback_retry_schedule == [5, 15]
    assert [len(page.results) for page in (first, second)] == [3, 2]
    assert (refused.error.code.value, list(refused.error.fields.to_dict())) == ("invalid", ["phone"])
    assert missing.error.code.value == "not_found"
    assert imported.bytes_total > 0
    assert report.status_code == HTTPStatus.OK
    assert report.content.startswith(b"contact_id")
