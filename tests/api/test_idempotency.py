"""A request that is repeated with its ``Idempotency-Key`` is answered again, and done once."""

import hashlib
import threading
from datetime import timedelta

import pytest
from django.db import connections, transaction

from dialer.models import Persona
from dialer.workspaces import idempotency
from dialer.workspaces.clock import database_now
from dialer.workspaces.encryption import decrypt
from dialer.workspaces.models import IdempotentRequest
from tests.api.client import Answer, Api, error_of

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.probe_views")]

PATHS = pytest.mark.parametrize("path", ["probes/", "probes/stepwise/"])


@PATHS
def test_a_repeated_request_is_answered_again_and_done_once(path: str) -> None:
    api = Api()

    first = api.post(path, {"name": "Sara"}, idempotency_key="one")
    second = api.post(path, b'{ "name":"Sara" }', idempotency_key="one")

    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert Persona.objects.count() == 1


@PATHS
def test_the_same_key_with_another_body_is_a_conflict(path: str) -> None:
    api = Api()
    api.post(path, {"name": "Sara"}, idempotency_key="one")

    answer = api.post(path, {"name": "Tom"}, idempotency_key="one")

    assert answer.status_code == 409
    assert error_of(answer)["code"] == "idempotency_key_reused"
    assert Persona.objects.count() == 1


def test_the_same_key_on_another_path_is_a_conflict() -> None:
    api = Api()
    api.post("probes/", {"name": "Sara"}, idempotency_key="one")

    assert api.post("probes/stepwise/", {"name": "Sara"}, idempotency_key="one").status_code == 409


@PATHS
def test_a_refused_request_leaves_the_key_free(path: str) -> None:
    api = Api()
    api.post(path, {"name": 5}, idempotency_key="one")

    assert api.post(path, {"name": "Sara"}, idempotency_key="one").status_code == 201


@PATHS
def test_keys_of_two_workspaces_do_not_meet(path: str) -> None:
    one, other = Api(), Api()
    one.post(path, {"name": "Sara"}, idempotency_key="one")

    assert "Idempotency-Replayed" not in other.post(path, {"name": "Tom"}, idempotency_key="one").headers


@PATHS
def test_an_answer_is_given_again_only_to_the_api_key_that_asked(path: str) -> None:
    api = Api()
    other = Api(api.workspace)
    api.post(path, {"name": "Sara"}, idempotency_key="one")

    same, another = (other.post(path, {"name": name}, idempotency_key="one") for name in ("Sara", "Tom"))

    for answer in (same, another):
        assert answer.status_code == 409
        assert error_of(answer)["code"] == "idempotency_key_of_another_api_key"
    assert Persona.objects.count() == 1
    assert api.post(path, {"name": "Sara"}, idempotency_key="one").headers["Idempotency-Replayed"] == "true"


def test_what_a_request_said_cannot_be_guessed_from_what_is_stored_of_it() -> None:
    Api().post("probes/", {"name": "Sara"}, idempotency_key="one")

    said = b"\0".join((b"POST", b"/api/v1/probes/", b'{"name": "Sara"}'))
    assert bytes(IdempotentRequest.objects.get().fingerprint) != hashlib.sha256(said).digest()


@PATHS
def test_a_key_is_free_again_after_a_day(path: str) -> None:
    api = Api()
    api.post(path, {"name": "Sara"}, idempotency_key="one")
    row = IdempotentRequest.objects.get()
    IdempotentRequest.objects.update(created_at=row.created_at - idempotency.KEPT - timedelta(seconds=1))

    answer = api.post(path, {"name": "Tom"}, idempotency_key="one")

    assert answer.status_code == 201
    assert Persona.objects.count() == 2


def test_a_step_that_died_is_taken_over_after_ten_minutes_and_not_before() -> None:
    api = Api()
    api.post("probes/stepwise/", {"name": "Sara"}, idempotency_key="one")
    row = IdempotentRequest.objects.get()
    too_young = row.created_at - idempotency.STEPS_TAKE + timedelta(seconds=30)
    IdempotentRequest.objects.update(status=None, body=None, created_at=too_young)

    young = api.post("probes/stepwise/", {"name": "Sara"}, idempotency_key="one")
    Persona.objects.all().delete()
    IdempotentRequest.objects.update(created_at=too_young - timedelta(minutes=1))
    dead = api.post("probes/stepwise/", {"name": "Sara"}, idempotency_key="one")

    assert (young.status_code, error_of(young)["code"]) == (409, "idempotency_key_in_use")
    assert dead.status_code == 201


def test_the_kept_answer_is_encrypted() -> None:
    Api().post("probes/", {"name": "Sara"}, idempotency_key="one")

    body = bytes(IdempotentRequest.objects.get().body or b"")

    assert b"Sara" not in body
    assert "Sara" in decrypt(body)


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_that_is_too_short_or_too_long_is_refused(key: str) -> None:
    answer = Api().post("probes/", {"name": "Sara"}, idempotency_key=key)

    assert list(error_of(answer)["fields"]) == ["Idempotency-Key"]


def test_old_answers_are_forgotten_a_limited_number_at_a_time() -> None:
    api = Api()
    for name in ("one", "two", "three", "four"):
        api.post("probes/", {"name": name}, idempotency_key=name)
    newest = IdempotentRequest.objects.latest("created_at")
    IdempotentRequest.objects.exclude(pk=newest.pk).update(created_at=newest.created_at - timedelta(hours=25))

    forgotten = [idempotency.forget(limit=2, now=newest.created_at) for _ in range(3)]

    assert forgotten == [2, 1, 0]
    assert IdempotentRequest.objects.get() == newest


@pytest.mark.django_db(transaction=True)
@PATHS
def test_two_at_once_with_one_key_do_it_once(path: str) -> None:
    api = Api()
    statuses: list[int] = []
    start = threading.Barrier(4)

    def ask() -> None:
        start.wait()
        statuses.append(api.post(path, {"name": "Sara"}, idempotency_key="one").status_code)
        connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(statuses) <= {201, 409}
    assert 201 in statuses
    assert Persona.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_request_whose_first_is_still_being_worked_on_is_told_so() -> None:
    api = Api()
    asked = idempotency.Asked(workspace_id=api.workspace.pk, api_key_id=api.key.pk, key="one", fingerprint=lambda: b"")
    answers: list[Answer] = []

    def ask() -> None:
        answers.append(api.post("probes/", {"name": "Sara"}, idempotency_key="one"))
        connections.close_all()

    with transaction.atomic():

        def first() -> idempotency.Kept:
            thread = threading.Thread(target=ask)
            thread.start()
            thread.join()
            return idempotency.Kept(status=201, body="{}")

        idempotency.once(asked, first, now=database_now())

    answer = answers[0]
    assert answer.status_code == 409
    assert error_of(answer)["code"] == "idempotency_key_in_use"
    assert answer.headers["Retry-After"] == "1"
