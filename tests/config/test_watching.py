from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings as SettingsWrapper

from config import watch
from config.celery import QUEUES, app
from config.models import Heartbeat
from config.tasks import heartbeat

pytestmark = pytest.mark.django_db


def test_alive_is_answered_without_asking_the_database(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        response = client.get("/healthz")

    assert (response.status_code, response.content) == (200, b"alive\n")


def test_ready_when_a_message_to_every_queue_was_taken(client: Client) -> None:
    for queue in QUEUES:
        heartbeat(queue)

    response = client.get("/readyz")

    assert response.json() == {"ready": True, "problems": {}}
    assert response.status_code == 200


def test_a_queue_that_nobody_consumes_is_named(client: Client) -> None:
    for queue in QUEUES:
        heartbeat(queue)
    Heartbeat.objects.filter(queue="dial").update(at=timezone.now() - timedelta(seconds=watch.FRESH_SECONDS + 2))

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["problems"].keys() == {"worker of queue dial"}


def test_without_any_heartbeat_beat_is_named_too(client: Client) -> None:
    problems = client.get("/readyz").json()["problems"]

    assert problems.keys() == {"beat", *(f"worker of queue {queue}" for queue in QUEUES)}


def test_a_broker_that_does_not_answer_is_named(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.conf, "broker_write_url", "redis://127.0.0.1:1/0")

    assert client.get("/readyz").json()["problems"]["broker"] == "does not answer"


def test_a_late_heartbeat_never_turns_the_clock_back() -> None:
    future = timezone.now() + timedelta(minutes=1)
    Heartbeat.objects.create(queue="tick", at=future)

    heartbeat("tick")

    assert Heartbeat.objects.get().at == future


def test_metrics_show_every_state_even_when_nothing_waits(client: Client) -> None:
    heartbeat("tick")

    text = client.get("/metrics").content.decode()

    for state in ("waiting", "claimed", "dialing", "ringing", "in_progress"):
        assert f'ringback_calls{{state="{state}"}} 0.0' in text
    assert 'ringback_heartbeat_age_seconds{queue="tick"} 0.' in text


def test_metrics_cost_a_fixed_number_of_statements(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(15):
        client.get("/metrics")


def test_metrics_ask_for_the_token_when_there_is_one(client: Client, settings: SettingsWrapper) -> None:
    settings.METRICS_TOKEN = "s3cret"  # noqa: S105 — a test's

    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer other"}).status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer s3cret"}).status_code == 200


def test_sessions_carry_the_timeouts_and_the_name_of_the_process() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('application_name'), current_setting('lock_timeout'),"
            " current_setting('idle_in_transaction_session_timeout'), current_setting('timezone')"
        )

        assert cursor.fetchone() == ("ringback-command", "5s", "30s", "UTC")
