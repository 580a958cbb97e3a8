"""What the cache holds is data: whoever writes to Valkey must not run code in a web process."""

import pickle
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.cache.backends.redis import RedisCache


class _Hostile:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)


def test_a_hostile_pickle_in_valkey_is_not_executed(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    _valkey().set(cache.make_key("planted"), pickle.dumps(_Hostile(ran)))

    with pytest.raises(UnicodeDecodeError):
        cache.get("planted")

    assert not ran.exists()


@pytest.mark.parametrize("value", [1, 0, -7, True, None, "text", 1.5, ["a", {"b": None}]])
def test_what_is_stored_comes_back(value: object) -> None:
    cache.set("kept", value)

    found = cache.get("kept", "nothing")

    assert (found, type(found)) == (value, type(value))


def test_numbers_are_counted_by_valkey() -> None:
    cache.set("count", 41)

    assert cache.incr("count") == 42
    assert cache.get("count") == 42


def test_what_is_no_data_cannot_be_stored() -> None:
    with pytest.raises(TypeError):
        cache.set("kept", object())


def test_sessions_are_json_too() -> None:
    assert settings.SESSION_SERIALIZER == "django.contrib.sessions.serializers.JSONSerializer"


def _valkey() -> Any:
    assert isinstance(cache._connections["default"], RedisCache)  # type: ignore[attr-defined] # noqa: SLF001 — what the name cache stands for
    return cache._cache.get_client(write=True)  # type: ignore[attr-defined] # noqa: SLF001 — the same connection
