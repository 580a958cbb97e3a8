"""Migrations of webhooks that rewrite rows."""

from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from tests.webhooks.rows import make_endpoint
from webhooks.models import Endpoint

pytestmark = pytest.mark.django_db(transaction=True)


def stored() -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT custom_headers FROM webhooks_endpoint ORDER BY id")
        return [row[0] for row in cursor.fetchall()]


def test_custom_headers_that_were_stored_as_they_are_become_encrypted_and_back() -> None:
    headers = [{"X-Api-Key": "hush"}, {}]
    for each in headers:
        make_endpoint(custom_headers=each)

    try:
        call_command("migrate", "webhooks", "0004", verbosity=0)
        plain = stored()
    finally:
        call_command("migrate", "webhooks", verbosity=0)

    assert [str(value).replace("'", '"') for value in plain] == ['{"X-Api-Key": "hush"}', "{}"]
    assert b"hush" not in bytes(stored()[0])
    assert stored()[1] is None
    assert list(Endpoint.objects.order_by("id").values_list("custom_headers", flat=True)) == headers
