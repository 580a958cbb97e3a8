"""Six engines with a guard taken out, and the one promise that each of them breaks.

A mutant is a statement rewritten on its way to the database, or one function replaced. A checker that finds nothing
wrong with them proves nothing.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from unittest import mock

from django.db import connection

from callbacks import follow_ups
from callbacks.rules import retry
from dialer import judging
from dialer.rules import gate
from dialer.rules.contact_limits import Handed
from tests.concurrency.interleaving import Mutant as Rewriting
from tests.concurrency.interleaving import Rewrites


class _Rewriting(Rewriting):
    """Remembers which statements it met: a mutant whose statement has another name now would test nothing."""

    def __init__(self, rewrites: Rewrites) -> None:
        super().__init__(rewrites)
        self.met: set[str] = set()

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        self.met.update(name for name in self.rewrites if sql.startswith(f"/* {name} */"))
        return super().__call__(execute, sql, params, many, context)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """What is taken out, and the rule that must be seen broken, and no other."""

    name: str
    breaks: str
    rewrites: Rewrites = field(default_factory=dict)
    patches: Sequence[tuple[object, str, object]] = ()

    @contextmanager
    def at_work(self) -> Generator[None]:
        """Run this thread's engine without the guard."""
        rewriting = _Rewriting(self.rewrites)
        with ExitStack() as stack:
            stack.enter_context(connection.execute_wrapper(rewriting))
            for module, name, replacement in self.patches:
                stack.enter_context(mock.patch.object(module, name, replacement))
            yield
        assert rewriting.met == self.rewrites.keys(), f"only {rewriting.met} were there to be rewritten"


def _judge_without_window(candidate: gate.Candidate, *, ledger: Sequence[Handed], now: datetime) -> gate.Verdict:
    return gate.judge(replace(candidate, forced=candidate.forced | {"outside_window"}), ledger=ledger, now=now)


def _decide_without_counting(settings: retry.Resolved, **facts: Any) -> retry.Retry | retry.Stop:
    return retry.decide(settings, **{**facts, "used": 0})


IN_THE_WORLD = (
    Mutant(
        name="the window is not asked again at dialling",
        breaks="inside the window",
        patches=[(judging, "judge", _judge_without_window)],
    ),
    Mutant(
        name="k is not counted",
        breaks="retries within the limit",
        patches=[(follow_ups, "decide", _decide_without_counting)],
    ),
    Mutant(
        name="an answer does not cancel",
        breaks="an answer ends retries",
        rewrites={"needless_retries": (("WHERE", "WHERE false AND"),)},
    ),
    Mutant(
        name="a suppression comes late",
        breaks="not after a suppression",
        rewrites={
            "lock_call_facts": (
                ("EXISTS (SELECT FROM dialer_suppression", "false AND EXISTS (SELECT FROM dialer_suppression"),
            ),
            "queued_calls_by_number": (("WHERE", "WHERE false AND"),),
        },
    ),
    Mutant(
        name="stale retries are dialled",
        breaks="stale waits for a person",
        rewrites={
            "take_due_of_campaigns": (("AND (q.not_after IS NULL OR q.not_after >= %(now)s)", ""),),
            "lock_call_facts": (("c.not_after", "NULL::timestamptz AS not_after"),),
        },
    ),
)
"""Those that break something in the world that is simulated."""

BESIDE_A_RIVAL = Mutant(
    name="the limit is not locked",
    breaks="contact limits",
    rewrites={"lock_numbers": (("pg_advisory_xact_lock(k)", "k"),)},
)
"""One that needs two workers at the same number at the same moment."""
