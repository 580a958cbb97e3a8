"""django-q2 with the database as its broker: a delayed job is a ``Schedule`` that runs once."""

import os
from collections.abc import Sequence
from datetime import datetime

os.environ["DJANGO_SETTINGS_MODULE"] = "bench.peers.django_q2_settings"

import django

django.setup()

from django.core.management import call_command  # noqa: E402 — Django is set up first
from django_q.models import Schedule  # noqa: E402
from django_q.tasks import async_task  # noqa: E402

from bench.peers import body  # noqa: E402

_NAME = "bench.peers.django_q2_jobs.run"


def run(call_id: int) -> None:
    body.lifecycle(call_id, call_at)


def prepare() -> None:
    call_command("migrate", verbosity=0)


def call_now(calls: Sequence[tuple[int, datetime]]) -> None:
    for call_id, _ in calls:
        async_task(_NAME, call_id)


def call_at(calls: Sequence[tuple[int, datetime]]) -> None:
    Schedule.objects.bulk_create(
        [
            Schedule(func=_NAME, args=str((call_id,)), schedule_type=Schedule.ONCE, repeats=-1, next_run=due)
            for call_id, due in calls
        ]
    )
