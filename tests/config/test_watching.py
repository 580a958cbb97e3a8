import time
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
from tests.factories import make_call
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier as carrier  # noqa: PLC0414 — a fixture
from tests.pipeline import dial, end_all
from tests.webhooks.rows import make_delivery, make_endpoint
from webhooks.models import DeliveryAttempt

AROUND_THE_CLOCK = {
    "calling_hours": {"start": "00:00", "end": "24:00"},
    "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
}

TOKEN = "the token of these tests, long enough"  # noqa: S105 — opens nothing else

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _token(settings: SettingsWrapper) -> None:
    settings.METRICS_TOKEN = TOKEN


def scraped(client: Client) -> str:
    response = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 200
    return response.content.decode()


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


@pytest.mark.parametrize(("offset", "said"), [(-40, "40 s behind PostgreSQL's"), (40, "40 s ahead of PostgreSQL's")])
def test_a_worker_whose_clock_is_wrong_is_named(client: Client, offset: float, said: str) -> None:
    for queue in QUEUES:
        heartbeat(queue)
    watch.record_heartbeat("dial", clock=lambda: time.time() + offset)

    assert client.get("/readyz").json()["problems"] == {"clock of a worker of queue dial": said}
    assert 'ringback_worker_clock_ahead_seconds{queue="dial"}' in scraped(client)

    heartbeat("dial")
    assert client.get("/readyz").status_code == 200


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

    text = scraped(client)

    for state in ("waiting", "claimed", "dialing", "ringing", "in_progress"):
        assert f'ringback_calls{{state="{state}"}} 0.0' in text
    assert 'ringback_heartbeat_age_seconds{queue="tick"} 0.' in text


def test_metrics_cost_a_fixed_number_of_statements(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(16):
        scraped(client)


@pytest.mark.parametrize("given", ["", "Bearer other", f"Basic {TOKEN}", "Bearer ", "Bearer"])
@pytest.mark.parametrize("token", [TOKEN, ""])
def test_metrics_are_shown_for_the_token_alone_and_to_nobody_where_there_is_none(
    client: Client, settings: SettingsWrapper, given: str, token: str
) -> None:
    settings.METRICS_TOKEN = token

    assert client.get("/metrics", headers={"Authorization": given}).status_code == 401


def test_sessions_carry_the_timeouts_and_the_name_of_the_process() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('application_name'), current_setting('lock_timeout'),"
            " current_setting('idle_in_transaction_session_timeout'), current_setting('timezone')"
        )

        assert cursor.fetchone() == ("ringback-command", "5s", "30s", "UTC")


@pytest.mark.django_db(transaction=True)  # placing gives its connection back before it asks the carrier
def test_metrics_follow_a_call_and_a_delivery(client: Client, carrier: InProcessCarrier) -> None:
    assert carrier is not None
    now = timezone.now()
    make_call(due_at=now - timedelta(seconds=30), schedule=AROUND_THE_CLOCK)
    delivery = make_delivery(make_endpoint(), now=now - timedelta(minutes=1))
    DeliveryAttempt.objects.create(
        delivery=delivery,
        number=1,
        started_at=now,
        url="https://example.com",
        total_ms=5,
        first_byte_ms=4,
        status_code=503,
    )

    waiting = figures(client)
    dial(now)
    dialled = figures(client)
    end_all(now, "busy", lasted=timedelta(0))
    ended = figures(client)

    assert waiting['ringback_calls{state="waiting"}'] == waiting["ringback_calls_due"] == 1
    assert 29 < waiting["ringback_calls_oldest_due_seconds"] < 60
    assert waiting["ringback_deliveries_pending"] >= 1
    assert waiting['ringback_delivery_attempts_5m{answer="5xx"}'] == 1
    assert (dialled["ringback_calls_due"], dialled['ringback_calls{state="dialing"}']) == (0, 1)
    assert ended['ringback_calls_ended_5m{outcome="busy"}'] == 1


def figures(client: Client) -> dict[str, float]:
    lines = scraped(client).splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}
