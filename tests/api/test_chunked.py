"""Bodies that come in chunks are read as others are: a body taken for empty is a request for something else."""

import io
import json
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from django.test.client import ClientHandler
from gunicorn.http.errors import InvalidChunkSize
from pytest_django.fixtures import Settings

from dialer.models import Contact, Import
from dialer.tasks.imports import import_contacts
from tests.api.client import Api
from tests.factories import make_campaign, make_contact

pytestmark = pytest.mark.django_db


class Malformed(io.BytesIO):
    """The body as gunicorn reads one whose second chunk has no size."""

    def read(self, size: int | None = -1, /) -> bytes:
        size_line = b"zz"
        raise InvalidChunkSize(size_line)


@pytest.fixture
def api() -> Api:
    return Api()


def send(api: Api, method: str, path: str, body: io.BytesIO | bytes, **environ: Any) -> tuple[int, dict[str, Any]]:
    """Ask the application as gunicorn does: the body in chunks, taken apart, and no word of its length."""
    asked: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": f"/api/v1/{path}",
        "HTTP_HOST": "testserver",
        "HTTP_AUTHORIZATION": f"Bearer {api.plain}",
        "HTTP_TRANSFER_ENCODING": "chunked",
        "CONTENT_TYPE": "application/json",
        "wsgi.input": io.BytesIO(body) if isinstance(body, bytes) else body,
        "wsgi.input_terminated": True,
        **environ,
    }
    setup_testing_defaults(asked)
    answer: Any = ClientHandler()(asked)
    return answer.status_code, json.loads(answer.content)


def test_a_chunked_body_changes_what_it_says(api: Api) -> None:
    contact = make_contact(api.workspace, name="Jane")

    status, shown = send(api, "PATCH", f"contacts/{contact.public_id}/", b'{"name": "Joan"}')

    assert (status, shown["name"]) == (200, "Joan")
    assert Contact.objects.get().name == "Joan"


def test_resume_does_not_fall_back_to_its_default(api: Api) -> None:
    campaign = make_campaign(api.workspace, status="paused")

    status, shown = send(api, "POST", f"campaigns/{campaign.public_id}/resume/", b'{"overdue": "forget"}')

    assert (status, set(shown["error"]["fields"])) == (400, {"overdue"})
    campaign.refresh_from_db()
    assert campaign.status == "paused"


def test_an_empty_chunked_body_is_an_empty_one(api: Api) -> None:
    campaign = make_campaign(api.workspace, status="running")

    status, shown = send(api, "POST", f"campaigns/{campaign.public_id}/pause/", b"")

    assert (status, shown["status"]) == (200, "paused")


def test_a_chunked_body_is_no_way_around_the_limit(api: Api, settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100

    status, shown = send(api, "POST", "contacts/", json.dumps({"name": "x" * 100}).encode())

    assert (status, shown["error"]["code"]) == (413, "too_large")


def test_malformed_chunks_are_a_bad_request(api: Api) -> None:
    status, shown = send(api, "POST", "contacts/", Malformed())

    assert (status, shown["error"]["code"]) == (400, "parse_error")


def test_a_server_that_does_not_mark_the_end_of_the_body_asks_for_its_length(api: Api) -> None:
    status, shown = send(api, "POST", "contacts/", b'{"phone": "+49301234567"}', **{"wsgi.input_terminated": False})

    assert (status, shown["error"]["code"]) == (411, "length_required")


def test_a_file_may_come_in_chunks(api: Api) -> None:
    status, _ = send(api, "POST", "contacts/import/", b"phone\n+49301234567\n", CONTENT_TYPE="text/csv")
    import_contacts(str(Import.objects.get().pk))

    assert status == 202
    assert Contact.objects.get().phone == "+49301234567"
