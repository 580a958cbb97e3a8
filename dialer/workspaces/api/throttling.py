"""Limits requests per key and minute, counted in Valkey; if Valkey is down, there is no limit."""

import logging
import time
from dataclasses import dataclass

from django.conf import settings
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from dialer.workspaces.models import ApiKey

log = logging.getLogger(__name__)

WINDOW_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """The requests that a key has left in this window, which ends at ``resets_at`` (Unix seconds)."""

    limit: int
    remaining: int
    resets_at: int

    def headers(self) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.resets_at),
        }


class KeyThrottle(BaseThrottle):
    """Fixed windows of a minute: one atomic increment per request, shared by all web processes."""

    def __init__(self) -> None:
        self._wait: float | None = None

    def allow_request(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.auth, ApiKey):
            return True
        second = time.time()
        window = int(second // WINDOW_SECONDS)
        resets_at = (window + 1) * WINDOW_SECONDS
        limit: int = settings.API_RATE_PER_MINUTE
        used = _count(f"api-rate:{request.auth.pk}:{window}")
        request.allowance = Allowance(limit=limit, remaining=max(limit - used, 0), resets_at=resets_at)  # type: ignore[attr-defined]
        self._wait = resets_at - second
        return used <= limit

    def wait(self) -> float | None:
        return self._wait


def _count(name: str) -> int:
    try:
        cache.add(name, 0, timeout=2 * WINDOW_SECONDS)
        return cache.incr(name)
    except Exception as error:  # noqa: BLE001 — no failure of the counter may refuse a request
        log.warning("api.rate_not_counted error=%s", type(error).__name__)
        return 0
