"""``make demo-check``: checks what the demo promises, over its HTTP API and in the carrier's ledger.

It needs a running ``make run``, and waits until that is old enough for each check. The exit status is 0 if every
promise is kept.
"""

import math
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

import requests

from config.local.settings import data_dir, environment
from dialer.carriers.simulation.ledger import places

FIRST: Final = timedelta(seconds=60)
SECOND: Final = timedelta(minutes=4)
STARTING: Final = timedelta(seconds=15)
"""Callbacks due this soon after the start are not measured: the processes may still be starting."""
ENDED_CALLS, OUTCOMES, PENDING, DIALLED = 20, 5, 5, 10
P99_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 90
_EVERY_SECONDS: Final = 2
_PAGE: Final = 500


class NotAnswering(Exception):
    """No demo answers at the address; the message says how to start it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """A promise of the demo, what was seen, and whether that keeps it."""

    text: str
    seen: str
    is_kept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """A client of the demo's API and inbox."""

    base: str
    key: str

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> Self:
        return cls(base=f"http://127.0.0.1:{settings.get('PORT', '8000')}", key=settings["DEMO_API_KEY"])

    def inbox(self) -> dict[str, Any]:
        return self._get(f"{self.base}/demo/inbox.json")

    def every(self, path: str) -> Iterator[dict[str, Any]]:
        """Return all rows of a list, page after page."""
        url: str | None = f"{self.base}/api/v1/{path}{'&' if '?' in path else '?'}limit={_PAGE}"
        while url is not None:
            page = self._get(url)
            yield from page["results"]
            url = page["next"]

    def _get(self, url: str) -> dict[str, Any]:
        response = requests.get(url, headers={"Authorization": f"Bearer {self.key}"}, timeout=20)
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer


def soon(api: Api) -> list[Promise]:
    """Check the promises for the first minute."""
    ended = [call for call in api.every("calls/?status=ended") if call["dialing_at"] is not None]
    outcomes = sorted({call["outcome"] for call in ended})
    pending = sum(1 for _ in api.every("callbacks/?status=pending"))
    return [
        Promise(
            text=f"at least {ENDED_CALLS} calls have ended", seen=str(len(ended)), is_kept=len(ended) >= ENDED_CALLS
        ),
        Promise(
            text=f"with at least {OUTCOMES} outcomes",
            seen=f"{len(outcomes)}: {', '.join(outcomes)}",
            is_kept=len(outcomes) >= OUTCOMES,
        ),
        Promise(text=f"at least {PENDING} callbacks are pending", seen=str(pending), is_kept=pending >= PENDING),
        *told(api),
    ]


def told(api: Api) -> list[Promise]:
    """Check that the inbox received and verified all deliveries.

    Deliveries continue meanwhile: one that the inbox has and the older list shows as pending is being settled.
    """
    deliveries = list(api.every("webhooks/deliveries/?ordering=id"))
    inbox = api.inbox()
    have = set(inbox["ids"])
    delivered = {delivery["event_id"] for delivery in deliveries if delivery["status"] == "delivered"}
    failed = [delivery for delivery in deliveries if delivery["status"] == "failed"]
    lost = delivered - have
    return [
        Promise(
            text="every delivery is a row of the inbox",
            seen=f"{len(delivered)} delivered, {inbox['count']} received, {len(lost)} lost, {len(failed)} failed",
            is_kept=bool(delivered) and not lost and not failed,
        ),
        Promise(
            text="every row is verified",
            seen=f"{inbox['verified']} of {inbox['count']}{''.join(f'; {text}' for text in inbox['problems'])}",
            is_kept=0 < inbox["verified"] == inbox["count"],
        ),
    ]


def called_back(api: Api, ledger: Path, *, since: datetime, now: datetime) -> list[Promise]:
    """Check how many callbacks due after ``since`` were dialled, and how late they reached the carrier.

    A due callback without a reason for waiting counts with its lateness so far.
    """
    handed: dict[str, datetime] = {}
    for place in places(ledger):
        handed.setdefault(place.public_id, place.at)
    late: list[float] = []
    dialled = 0
    for callback in api.every("callbacks/"):
        due = datetime.fromisoformat(callback["scheduled_at"])
        if not since <= due <= now:
            continue
        if callback["call_id"] in handed:
            dialled += 1
            late.append((handed[callback["call_id"]] - due).total_seconds())
        elif callback["status"] == "pending" and callback["waiting"] is None:
            late.append((now - due).total_seconds())
    return [
        Promise(text=f"at least {DIALLED} callbacks have been dialled", seen=str(dialled), is_kept=dialled >= DIALLED),
        Promise(
            text=f"99 of 100 reached the carrier within {P99_SECONDS:g} s of their time",
            seen=f"p50 {_share(late, 0.5):.3f} s, p99 {_share(late, 0.99):.3f} s, most {max(late, default=0):.3f} s,"
            f" earliest {min(late, default=0):.3f} s",
            is_kept=bool(late) and _share(late, 0.99) <= P99_SECONDS and min(late) >= 0,
        ),
    ]


def _share(values: Sequence[float], share: float) -> float:
    """Return the quantile of ``share`` (nearest rank)."""
    return sorted(values)[max(math.ceil(len(values) * share) - 1, 0)] if values else 0.0


def _wait_for_start(api: Api) -> tuple[datetime, float]:
    """Return the start of the demo by its own clock, and how many seconds that clock is ahead of ``time.time``."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            inbox = api.inbox()
        except requests.RequestException as error:
            if time.monotonic() > deadline:
                message = f"{api.base} does not answer ({type(error).__name__}): start `make run` with its demo"
                raise NotAnswering(message) from error
            time.sleep(_EVERY_SECONDS)
            continue
        ahead = datetime.fromisoformat(inbox["now"]).timestamp() - time.time()
        return datetime.fromisoformat(inbox["started_at"]), ahead


def _judge(look: Callable[[datetime], Sequence[Promise]], *, by: timedelta, started_at: datetime, ahead: float) -> bool:
    """Repeat a check until all promises are kept or ``by`` has passed; print the last, return whether all are."""
    while True:
        now = _now(ahead)
        promises = look(now)
        is_kept = all(promise.is_kept for promise in promises)
        if is_kept or now >= started_at + by:
            break
        time.sleep(_EVERY_SECONDS)
    sys.stdout.write(f"{(now - started_at).total_seconds():.0f} s after the start:\n")
    for promise in promises:
        sys.stdout.write(f"  {'kept  ' if promise.is_kept else 'BROKEN'}  {promise.text}: {promise.seen}\n")
    sys.stdout.flush()
    return is_kept


def _sleep_until(at: datetime, ahead: float) -> None:
    time.sleep(max((at - _now(ahead)).total_seconds(), 0))


def _now(ahead: float) -> datetime:
    return datetime.fromtimestamp(time.time() + ahead, tz=UTC)


def main() -> int:
    parser = ArgumentParser(prog="python -m config.demo.check", description=__doc__)
    parser.add_argument("--first-minute-only", action="store_true", help="do not wait for the callbacks")
    only_first = parser.parse_args().first_minute_only
    settings = environment(data_dir())
    ledger = Path(settings.get("SIMULATED_CARRIER_LEDGER") or data_dir() / "carrier-ledger.jsonl")
    api = Api.of(settings)
    try:
        started_at, ahead = _wait_for_start(api)
    except NotAnswering as error:
        sys.stdout.write(f"{error}\n")
        return 1
    is_kept = _judge(lambda _: soon(api), by=FIRST, started_at=started_at, ahead=ahead)
    if not only_first:
        since = started_at + STARTING
        _sleep_until(started_at + SECOND, ahead)
        is_kept &= _judge(
            lambda now: [*called_back(api, ledger, since=since, now=now), *told(api)],
            by=SECOND,
            started_at=started_at,
            ahead=ahead,
        )
    return 0 if is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
