"""What the models declare is what the database enforces; a migration may drop an index without saying so."""

from uuid import uuid4

import pytest
from django.apps import apps
from django.db import connection

from dialer.models import Call
from tests.factories import make_call
from tests.rows import without_parents

pytestmark = pytest.mark.django_db


def test_every_declared_index_and_constraint_is_in_the_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname FROM pg_indexes UNION SELECT conname FROM pg_constraint")
        present = {name for (name,) in cursor.fetchall()}

    options = [model._meta for model in apps.get_models()]  # noqa: SLF001 — Django documents it
    missing = [
        f"{of.label}: {declared.name}"
        for of in options
        for declared in (*of.indexes, *of.constraints)
        if declared.name not in present
    ]

    assert missing == []


def test_a_row_without_its_parent_is_found_where_the_database_does_not_check() -> None:
    call = make_call()
    assert without_parents() == {}

    Call.objects.filter(pk=call.pk).update(contact_id=uuid4())

    assert without_parents() == {"dialer.Call without contact": 1}
