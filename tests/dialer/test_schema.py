"""What the models declare is what the database enforces; a migration may drop an index without saying so."""

import pytest
from django.apps import apps
from django.db import connection

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
