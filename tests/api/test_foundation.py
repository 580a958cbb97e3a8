"""What every route of the API shares: keys, scopes, workspaces, errors, pages, limits."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.test import Client

from dialer.models import Persona
from dialer.workspaces import api_keys
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.models import ApiKey
from tests.api.client import Api, error_of
from tests.factories import NOW, make_campaign, make_persona, make_workspace

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.probe_views")]


def fields_at_fault(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 400, answer.content
    error = error_of(answer)
    assert error["code"] == "invalid"
    fields: dict[str, list[str]] = error["fields"]
    return fields


class TestKeys:
    def test_a_request_without_a_key_is_told_how_to_bring_one(self) -> None:
        answer = Client().get("/api/v1/probes/")

        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert error_of(answer)["code"] == "not_authenticated"

    @pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
    def test_a_key_is_taken_from_either_header(self, header: str) -> None:
        api = Api(scope="read")
        value = f"Bearer {api.plain}" if header == "Authorization" else api.plain

        assert Client().get("/api/v1/probes/", headers={header: value}).status_code == 200

    @pytest.mark.parametrize("plain", ["rb_wrong", "ünïcode", "x" * 5000])
    def test_an_unknown_key_is_refused(self, plain: str) -> None:
        answer = Client().get("/api/v1/probes/", headers={"X-API-Key": plain})

        assert answer.status_code == 401
        assert error_of(answer)["code"] == "authentication_failed"

    def test_a_revoked_key_is_refused(self) -> None:
        api = Api()
        api_keys.revoke(api.key, actor=SYSTEM, reason="lost", now=NOW)

        assert api.get("probes/").status_code == 401

    def test_an_expired_key_is_refused(self) -> None:
        api = Api()
        ApiKey.objects.filter(pk=api.key.pk).update(expires_at=NOW - timedelta(days=1))

        assert api.get("probes/").status_code == 401

    def test_the_key_of_a_closed_workspace_is_refused(self) -> None:
        api = Api()
        api.workspace.closed_at = NOW
        api.workspace.save()

        assert api.get("probes/").status_code == 401


class TestScopes:
    @pytest.mark.parametrize(
        ("scope", "reads", "writes", "administers"),
        [("read", 200, 403, 403), ("write", 200, 201, 403), ("admin", 200, 201, 409)],
    )
    def test_a_scope_reaches_as_far_as_it_says(self, scope: str, reads: int, writes: int, administers: int) -> None:
        api = Api(scope=scope)
        persona = make_persona(api.workspace)

        assert api.get("probes/").status_code == reads
        assert api.post("probes/", {"name": "Sara"}).status_code == writes
        assert api.delete(f"probes/{persona.public_id}/").status_code == administers


class TestWorkspaces:
    def test_a_list_shows_rows_of_the_keys_workspace_only(self) -> None:
        api = Api()
        mine = make_persona(api.workspace)
        make_persona(make_workspace())

        rows = api.get("probes/").json()["results"]

        assert [row["id"] for row in rows] == [mine.public_id]

    @pytest.mark.parametrize("method", ["GET", "DELETE"])
    def test_another_workspaces_row_is_not_found(self, method: str) -> None:
        theirs = make_persona(make_workspace())

        answer = Api(scope="admin").send(method, f"probes/{theirs.public_id}/")

        assert answer.status_code == 404
        assert error_of(answer)["code"] == "not_found"

    def test_another_workspaces_row_cannot_be_named_in_a_body(self) -> None:
        theirs = make_campaign(make_workspace())

        answer = Api().post("probes/", {"name": "Sara", "campaign_id": theirs.public_id})

        assert fields_at_fault(answer) == {"campaign_id": ["does not exist"]}

    @pytest.mark.parametrize("pk", ["1", "per_", "camp_01h455vb4pex5vsknk084sn02q", "per_%00", "per_" + "z" * 26])
    def test_an_id_of_another_form_is_not_found(self, pk: str) -> None:
        assert Api().get(f"probes/{pk}/").status_code == 404


class TestErrors:
    def test_an_unknown_route_answers_in_the_same_shape(self) -> None:
        answer = Api().get("nothing/here/")

        assert answer.status_code == 404
        assert error_of(answer)["code"] == "not_found"

    def test_a_path_without_its_slash_says_so(self) -> None:
        answer = Api().post("probes", {"name": "Sara"})

        assert answer.status_code == 404
        assert "slash" in error_of(answer)["message"]

    def test_a_method_that_is_not_there_is_a_405(self) -> None:
        answer = Api().send("PUT", "probes/", {})

        assert answer.status_code == 405
        assert error_of(answer)["code"] == "method_not_allowed"

    @pytest.mark.parametrize("kind", ["text/csv", "application/x-www-form-urlencoded", "multipart/form-data", ""])
    def test_a_body_of_another_kind_is_a_415(self, kind: str) -> None:
        api = Api()

        answer = Client(headers={"X-API-Key": api.plain}).generic("POST", "/api/v1/probes/", b"name=Sara", kind)

        assert answer.status_code == 415
        assert error_of(answer)["code"] == "unsupported_media_type"

    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b"\xff\xfe",
            b'{"name": NaN}',
            b'{"ratio": 1e999}',
            b"[" * 100_000,
            b'{"metadata": ' + b"[" * 40 + b"]" * 40 + b"}",
            b'{"name": "a\\u0000b"}',
            b'{"name": "\\ud800"}',
            b'{"\\ud800": 1}',
            b'{"part": {"count": ' + b"9" * 5000 + b"}}",
            b'{"part": {"counts": [' + b"1," * 300_000 + b"1]}}",
            b'{"part": {"counts": [' + b"[]," * 300_000 + b"[]]}}",
        ],
    )
    def test_a_body_that_cannot_be_kept_is_a_parse_error(self, body: bytes) -> None:
        answer = Api().post("probes/", body)

        assert answer.status_code == 400
        assert error_of(answer)["code"] == "parse_error"

    def test_a_body_that_is_too_large_is_a_413(self, settings: LazySettings) -> None:
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100

        answer = Api().post("probes/", {"name": "x" * 200})

        assert answer.status_code == 413
        assert error_of(answer)["code"] == "too_large"

    def test_what_breaks_is_a_500_that_tells_nothing_and_changes_nothing(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        api = Api()

        answer = api.post("probes/", {"name": "breaks"}, idempotency_key="one")

        assert answer.status_code == 500
        assert error_of(answer)["code"] == "internal"
        assert "as it was made to" not in answer.content.decode()
        assert "as it was made to" in caplog.text
        assert not Persona.objects.exists()

    def test_a_conflict_names_both_states(self) -> None:
        api = Api(scope="admin")

        answer = api.delete(f"probes/{make_persona(api.workspace).public_id}/")

        assert answer.status_code == 409
        assert error_of(answer)["code"] == "conflict"
        assert error_of(answer)["details"] == {"from": "here", "to": "there"}

    def test_a_lost_race_for_a_unique_name_is_a_conflict(self) -> None:
        api = Api()
        make_persona(api.workspace, name="Sara")

        answer = api.post("probes/", {"name": "Sara"}, idempotency_key="one")

        assert answer.status_code == 409
        assert error_of(answer)["code"] == "conflict"

    @pytest.mark.parametrize("body", [[], "text", 5, None, True])
    def test_a_body_that_is_no_object_is_refused(self, body: object) -> None:
        assert fields_at_fault(Api().post("probes/", json.dumps(body).encode())) == {
            "non_field_errors": ["must be an object"]
        }

    def test_an_empty_body_lacks_what_is_required(self) -> None:
        assert "name" in fields_at_fault(Api().post("probes/"))


class TestFields:
    @pytest.mark.parametrize(
        ("given", "path"),
        [
            ({"nmae": "Sara"}, "nmae"),
            ({"part": {"cuont": 1}}, "part.cuont"),
            ({"part": {"counts": [1, 2, "3"]}}, "part.counts.2"),
            ({"part": {"count": True}}, "part.count"),
            ({"part": {"count": "5"}}, "part.count"),
            ({"part": {"count": 5.0}}, "part.count"),
            ({"part": {"count": 2**40}}, "part.count"),
            ({"part": []}, "part"),
            ({"name": 5}, "name"),
            ({"name": "x" * 21}, "name"),
            ({"name": "," * 300_000}, "name"),
            ({"is_on": 1}, "is_on"),
            ({"is_on": "true"}, "is_on"),
            ({"ratio": "0.5"}, "ratio"),
            ({"ratio": True}, "ratio"),
            ({"ratio": 10**400}, "ratio"),
            ({"at": "2025-03-03T10:00:00"}, "at"),
            ({"at": "2025-03-03"}, "at"),
            ({"at": "0001-01-01T00:00:00+14:00"}, "at"),
            ({"at": 5}, "at"),
            ({"local": "2025-03-03T10:00:00Z"}, "local"),
            ({"local": "2025-W10-1"}, "local"),
            ({"local": "tomorrow"}, "local"),
            ({"campaign_id": "per_01h455vb4pex5vsknk084sn02q"}, "campaign_id"),
            ({"campaign_id": 7}, "campaign_id"),
            ({"metadata": []}, "metadata"),
            ({"metadata": {"a": "x" * 20_000}}, "metadata"),
        ],
    )
    def test_a_bad_value_is_refused_by_the_path_of_its_field(self, given: dict[str, Any], path: str) -> None:
        answer = Api().post("probes/", {"name": "Sara", **given})

        assert list(fields_at_fault(answer)) == [path]

    def test_times_are_answered_in_utc(self) -> None:
        shown = Api().post("probes/", {"name": "Sara", "at": "2025-03-03T10:00:00+02:00"}).json()

        assert shown["created_at"].endswith("Z")


class TestPages:
    def test_pages_show_every_row_once_while_rows_come_and_go(self) -> None:
        api = Api()
        there = [make_persona(api.workspace) for _ in range(7)]
        ids = [persona.public_id for persona in there]

        first = api.get("probes/", ordering="id", limit=3).json()
        there[0].delete()
        make_persona(api.workspace, name="new")
        second = api.get(first["next"]).json()
        third = api.get(second["next"]).json()

        seen = [row["id"] for page in (first, second, third) for row in page["results"]]
        assert seen[:7] == ids
        assert len(seen) == 8
        assert third["next"] is None

    @pytest.mark.parametrize("ordering", ["-id", "id", "name", "created_at"])
    def test_a_list_can_be_walked_to_its_end_and_back_in_every_ordering(self, ordering: str) -> None:
        api = Api()
        for n in range(7):
            make_persona(api.workspace, name=f"p{n}")
        Persona.objects.update(created_at=NOW)

        page = api.get("probes/", ordering=ordering, limit=2).json()
        forward = [page]
        while page["next"]:
            page = api.get(page["next"]).json()
            forward.append(page)
        backward = [page]
        while page["previous"]:
            page = api.get(page["previous"]).json()
            backward.append(page)

        assert len({row["id"] for page in forward for row in page["results"]}) == 7
        assert [page["results"] for page in reversed(backward)] == [page["results"] for page in forward]

    def test_filters_stay_in_the_links(self) -> None:
        api = Api()
        for _ in range(2):
            make_persona(api.workspace, name="Sara", archived_at=NOW)

        link = api.get("probes/", name="Sara", limit=1).json()["next"]

        assert parse_qs(urlparse(link).query)["name"] == ["Sara"]

    @pytest.mark.parametrize(
        "query",
        [
            {"limit": "0"},
            {"limit": "501"},
            {"limit": "٣"},
            {"limit": "9" * 5000},
            {"ordering": "archived_at"},
            {"ordering": ""},
            {"cursor": "nonsense"},
            {"cursor": "WyItaWQiLGZhbHNlLCJ4Il0"},
            {"cursor": "W"},
            {"nmae": "Sara"},
            {"name": "a\x00b"},
        ],
    )
    def test_a_parameter_that_is_not_understood_is_named(self, query: dict[str, str]) -> None:
        assert list(fields_at_fault(Api().get("probes/", **query))) == list(query)

    def test_a_parameter_that_is_given_twice_is_named(self) -> None:
        answer = Api().get("probes/?limit=1&limit=2")

        assert fields_at_fault(answer) == {"limit": ["is given more than once"]}


class TestThrottle:
    def test_a_key_is_told_what_it_may_still_ask_and_stopped_when_that_is_used_up(self, settings: LazySettings) -> None:
        settings.API_RATE_PER_MINUTE = 2
        api, other = Api(), Api()

        answers = [api.get("probes/") for _ in range(3)]

        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
        assert answers[2].headers["X-RateLimit-Limit"] == "2"
        assert 1 <= int(answers[2].headers["Retry-After"]) <= 60
        assert error_of(answers[2])["code"] == "throttled"
        assert other.get("probes/").status_code == 200

    def test_nobody_is_held_up_where_the_counter_is_out_of_reach(self, settings: LazySettings) -> None:
        api = Api()
        settings.CACHES = {
            "default": {
                "BACKEND": "django.core.cache.backends.redis.RedisCache",
                "LOCATION": "redis://127.0.0.1:1/0",
                "OPTIONS": {"socket_connect_timeout": 0.2},
            }
        }
        cache.close()

        assert api.get("probes/").status_code == 200
