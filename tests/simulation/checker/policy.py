"""The retry settings that were in force at a moment, as people asked for them: limits, delays, and how much is used."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from tests.simulation.checker.evidence import Evidence

Level = Mapping[str, Any]


class Policy:
    """What followed calls of one chain when ``seq`` happened."""

    def __init__(self, evidence: Evidence, call: Any, *, seq: int) -> None:
        workspace = evidence.history.of("workspace", call.workspace, seq=seq)
        campaign = evidence.campaign_of(call, seq=seq)
        self._levels: list[Level] = [evidence.call_settings(call), campaign.get("schedule", {}), workspace["schedule"]]
        self._rules: Level = campaign.get("rules") or workspace["rules"]
        if campaign.get("rules"):
            # A policy named on a campaign hides the workspace's delays and limit, but not its switch.
            self._levels[2] = {"auto_callback": workspace["schedule"].get("auto_callback")}

    def limit(self, outcome: str) -> int:
        """Return how many retries may follow calls that end so; 0 where none may."""
        if outcome not in self._rules or self._first("auto_callback") is False:
            return 0
        limit, delays = self._first("max_callback_attempts"), self._first("callback_retry_schedule")
        if limit is not None:
            return int(limit)
        return len(delays) if delays is not None else int(self._rules[outcome]["limit"])

    def delay(self, outcome: str, *, used: int) -> timedelta:
        """Return how long after such an end the next retry is wanted, ``used`` having been used up before."""
        delays: Sequence[int] = self._first("callback_retry_schedule") or self._rules[outcome]["delays"]
        return timedelta(minutes=delays[used] if used < len(delays) else delays[-1])

    def _first(self, field: str) -> Any:
        return next((level[field] for level in self._levels if level.get(field) is not None), None)


def used_up(evidence: Evidence, chain: str, *, seq: int) -> int:
    """Count the retries of a chain that had been dialled, or skipped for good, when ``seq`` happened."""
    return sum(
        1
        for callback in evidence.callbacks_of_chain[chain]
        if callback.type == "auto_retry"
        and (
            evidence.was_dialled(callback.call, seq=seq)
            or evidence.history.of("taken out", callback.call, seq=seq) == "skipped"
        )
    )
