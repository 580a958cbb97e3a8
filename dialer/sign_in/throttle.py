"""Limits of attempts to sign in, counted in Valkey by moving windows.

An attempt on an account counts before its password is checked, and a success clears the count: parallel attempts cannot
pass the limit together. Addresses count failures only, because many people may share one. If Valkey cannot count,
nobody can sign in; those who have signed in are not affected.
"""

import hashlib
import ipaddress
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from django.conf import settings
from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

ACCOUNT: Final = RateLimitItemPerMinute(10, 15, "account")
"""Passwords for one name, whether or not it is a user's."""
ADDRESS: Final = RateLimitItemPerMinute(50, 15, "address")
"""Failures from one address: of IPv6 a network of 64 bits, because a subscriber has all of it."""
CODE: Final = (RateLimitItemPerMinute(5, 15, "code"), RateLimitItemPerDay(20, 1, "code"))
"""Second factors for one user, by somebody who knows the password."""
_ONE_ENTRY: Final = RateLimitItemPerMinute(1, 15, "entry")
_IPV6_NETWORK: Final = 64


class Locked(Exception):
    """There were too many attempts; ``is_news`` only for the first refusal in a quarter of an hour."""

    def __init__(self, limit: RateLimitItem, until: datetime, *, is_news: bool) -> None:
        super().__init__(limit, until)
        self.limit = limit
        self.until = until
        self.is_news = is_news


class NotCountable(Exception):
    """Valkey does not answer, so attempts cannot be limited."""


def attempt(name: str, address: str | None) -> None:
    """Count an attempt on an account; raises :class:`Locked` if it or the address has too many."""
    with _limiter() as limiter:
        if not limiter.test(ADDRESS, _network(address)):
            raise _locked(limiter, ADDRESS, _network(address))
        _count(limiter, ACCOUNT, _digest(name))


def failed(address: str | None) -> None:
    with _limiter() as limiter:
        limiter.hit(ADDRESS, _network(address))


def succeeded(name: str) -> None:
    with _limiter() as limiter:
        limiter.clear(ACCOUNT, _digest(name))


def attempt_code(user_id: int) -> None:
    """Count an attempt on a second factor; raises :class:`Locked`."""
    with _limiter() as limiter:
        for limit in CODE:
            _count(limiter, limit, str(user_id))


def clear_code(user_id: int) -> None:
    with _limiter() as limiter:
        for limit in CODE:
            limiter.clear(limit, str(user_id))


def _count(limiter: MovingWindowRateLimiter, limit: RateLimitItem, whose: str) -> None:
    if not limiter.hit(limit, whose):
        raise _locked(limiter, limit, whose)


def _locked(limiter: MovingWindowRateLimiter, limit: RateLimitItem, whose: str) -> Locked:
    until = datetime.fromtimestamp(limiter.get_window_stats(limit, whose).reset_time, UTC)
    return Locked(limit, until, is_news=limiter.hit(_ONE_ENTRY, limit.namespace, whose))


@contextmanager
def _limiter() -> Iterator[MovingWindowRateLimiter]:
    try:
        yield _limiter_at(settings.REDIS_URL)
    except RedisError as error:
        log.exception("sign_in.not_countable")
        raise NotCountable from error


@lru_cache(maxsize=4)
def _limiter_at(url: str) -> MovingWindowRateLimiter:
    storage = storage_from_string(url, key_prefix="ringback:sign-in", socket_timeout=2, socket_connect_timeout=2)
    return MovingWindowRateLimiter(storage)


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _network(address: str | None) -> str:
    if address is None:
        return "unknown"
    if ipaddress.ip_address(address).version == 4:  # noqa: PLR2004 — IPv4
        return address
    return str(ipaddress.ip_network(f"{address}/{_IPV6_NETWORK}", strict=False).network_address)
