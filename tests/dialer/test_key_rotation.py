"""The key of the secrets can be changed while everything runs."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django.fixtures import Settings

from dialer.workspaces import key_rotation
from dialer.workspaces.encryption import SecretUnreadable, decrypt, encrypt
from dialer.workspaces.models import IdempotentRequest
from tests.concurrency.interleaving import through
from tests.factories import NOW, make_line, make_workspace
from tests.webhooks.rows import make_endpoint
from webhooks.models import Endpoint

pytestmark = pytest.mark.django_db

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
ENDPOINTS = key_rotation.Column(table="webhooks_endpoint", name="secret")


@pytest.fixture(autouse=True)
def old_key(settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = [OLD]


def rotated(**options: object) -> str:
    out = StringIO()
    call_command("rotate_encryption_key", stdout=out, **options)
    return out.getvalue()


def test_after_a_rotation_the_old_key_can_be_thrown_away(settings: Settings) -> None:
    workspace = make_workspace()
    endpoints = [make_endpoint(workspace, secret=f"secret {n}") for n in range(5)]
    endpoints[0].next_secret, endpoints[0].rotated_at = "the next", NOW
    endpoints[0].save()
    Endpoint.objects.filter(pk=endpoints[1].pk).update(custom_headers={"X-Api-Key": "hush"})
    line = make_line(workspace, credentials='{"token": "t"}')
    answer = IdempotentRequest.objects.create(
        workspace=workspace, name="a", fingerprint=b"f", status=201, body=encrypt("an answer"), created_at=NOW
    )
    settings.ENCRYPTION_KEYS = [NEW, OLD]

    said = rotated(batch=2)

    assert "webhooks_endpoint.secret: 5 rewritten, 0 under the newest key already" in said
    assert "Every secret is under the first key" in said
    settings.ENCRYPTION_KEYS = [NEW]
    assert [row.secret for row in Endpoint.objects.order_by("id")] == [f"secret {n}" for n in range(5)]
    assert Endpoint.objects.get(pk=endpoints[0].pk).next_secret == "the next"  # noqa: S105
    assert Endpoint.objects.get(pk=endpoints[1].pk).custom_headers == {"X-Api-Key": "hush"}
    line.refresh_from_db()
    assert line.credentials == '{"token": "t"}'
    answer.refresh_from_db()
    assert answer.body is not None
    assert decrypt(bytes(answer.body)) == "an answer"
    assert "webhooks_endpoint.secret: 0 rewritten, 5 under the newest key already" in rotated()


def test_a_dry_run_says_what_would_be_done_and_does_nothing(settings: Settings) -> None:
    make_endpoint()
    settings.ENCRYPTION_KEYS = [NEW, OLD]

    said = rotated(dry_run=True)

    assert "webhooks_endpoint.secret: 1 would be rewritten" in said
    assert "Nothing was changed" in said
    settings.ENCRYPTION_KEYS = [NEW]
    with pytest.raises(SecretUnreadable):
        Endpoint.objects.get()


def test_a_secret_that_no_key_opens_is_named_and_stops_no_other(settings: Settings) -> None:
    lost = make_endpoint()
    settings.ENCRYPTION_KEYS = [NEW]
    make_endpoint()

    with pytest.raises(CommandError, match="1 secrets"):
        rotated()

    came = key_rotation.rotate(ENDPOINTS)
    assert (came.newest, came.unreadable) == (1, [str(lost.pk)])


def test_a_secret_that_is_changed_meanwhile_is_not_overwritten(settings: Settings) -> None:
    endpoint = make_endpoint()
    settings.ENCRYPTION_KEYS = [NEW, OLD]

    def somebody_rotates(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        if sql.startswith("/* rewrite_secrets */"):
            with connection.cursor() as cursor:
                cursor.execute("UPDATE webhooks_endpoint SET secret = %s", [encrypt("another")])
        return execute(sql, params, many, context)

    with through(somebody_rotates):
        came = key_rotation.rotate(ENDPOINTS)

    assert (came.rewritten, came.changed) == (0, 1)
    endpoint.refresh_from_db()
    assert endpoint.secret == "another"  # noqa: S105


def test_every_column_that_is_encrypted_is_known() -> None:
    assert {str(column) for column in key_rotation.columns()} == {
        "dialer_campaign.status_callback_secret",
        "dialer_erasure.person",
        "dialer_line.credentials",
        "sign_in_secondfactor.secret",
        "webhooks_endpoint.custom_headers",
        "webhooks_endpoint.next_secret",
        "webhooks_endpoint.secret",
        "workspaces_idempotentrequest.body",
    }
