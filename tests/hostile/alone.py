"""(a) Every behaviour on a receiver of its own, all at once, through the transport alone."""

import gc
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import psutil

from tests.hostile.behaviours import BEHAVIOURS, LITERALS
from tests.hostile.report import Finding, quantile, say
from tests.hostile.server import Addresses, Server, Target
from webhooks.rules.classify import Failure, Verdict, classify
from webhooks.transport import Answer, Request, Transport

DEADLINE = 5.0
LONGEST = 5.1
"""What the deadline and a busy machine may add up to, in seconds."""
MOST_MEMORY = 5_000_000
WARM_ROUNDS = 2
"""Before memory is looked at: handles, connections and TLS sessions are made once and kept."""
ALLOWED = ["127.0.0.0/8", "::1/128"]


@dataclass(frozen=True, slots=True)
class Attempt:
    target: Target
    seconds: float
    answer: Answer
    """Without its body, which is another's memory to keep."""
    kept_bytes: int

    @property
    def verdict(self) -> Verdict:
        return classify(status=self.answer.status, failure=self.answer.failure)


def run(server: Server, *, answers: int) -> list[Finding]:
    """Post to all, round after round, until ``answers`` have come after the first rounds; print a line per row."""
    addresses = server.addresses
    transport = Transport(allowed_networks=ALLOWED, dns_servers=[addresses.name_server], ca_file=addresses.ca_file)
    began = time.monotonic()
    attempts = [one for _ in range(WARM_ROUNDS) for one in post_all(transport, addresses.hostile)]
    before = _memory()
    counted = 0
    while counted < answers:
        more = post_all(transport, addresses.hostile)
        attempts += more
        counted += len(more)
    grown = _memory() - before
    transport.close()
    took = time.monotonic() - began
    findings = _by_row(attempts)
    findings.append(
        Finding(
            what=f"memory after {counted:,} hostile answers", seen=f"{grown / 1e6:+.1f} MB",
            is_kept=grown <= MOST_MEMORY,
        )
    )  # fmt: skip
    findings.append(_nothing_followed(server, attempts))
    findings.append(_literals(addresses.canary, server))
    rounds = len(attempts) // len(addresses.hostile)
    say(f"  {len(addresses.hostile)} receivers, {rounds} rounds, {took:.0f} s")
    return findings


def post_all(transport: Transport, targets: Sequence[Target]) -> list[Attempt]:
    """Post to every target at once; return what came of it, timed from outside of the transport."""
    started: dict[int, float] = {}
    found: list[Attempt] = []
    for number, target in enumerate(targets):
        started[number] = time.monotonic()
        body = b"x" * target.behaviour.body_bytes
        headers = [("Content-Type", "application/json")]
        transport.start(
            Request(key=number, url=target.url, headers=headers, body=body, timeout_seconds=DEADLINE)
        )  # fmt: skip
    while transport.in_flight:
        answers = transport.run(0.1)
        now = time.monotonic()
        found += [
            Attempt(targets[each.key], now - started[each.key], replace(each, body=b""), len(each.body))
            for each in answers
        ]
    return found


def _by_row(attempts: Sequence[Attempt]) -> list[Finding]:
    findings = []
    of_row: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        of_row[attempt.target.behaviour.row].append(attempt)
    for row, mine in sorted(of_row.items()):
        late = quantile([attempt.seconds for attempt in mine], 0.99)
        wrong = {_wrong(attempt) for attempt in mine if attempt.verdict not in attempt.target.behaviour.expects}
        counts = Counter(attempt.verdict for attempt in mine)
        verdicts = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
        seen = f"{len(mine):4} attempts, p99 {late:5.3f} s; {verdicts}{'; WRONG: ' if wrong else ''}"
        findings.append(
            Finding(
                what=f"row {row:2}, {len({b.name for b in BEHAVIOURS if b.row == row}):2} kinds",
                seen=seen + "; ".join(sorted(wrong)),
                is_kept=late <= LONGEST and not wrong,
            )
        )
    return findings


def _wrong(attempt: Attempt) -> str:
    scheme = urlsplit(attempt.target.url).scheme
    answer = attempt.answer
    return f"{attempt.target.behaviour.name} ({scheme}) came to {attempt.verdict} {answer.status} {answer.failure}"


def _nothing_followed(server: Server, attempts: Sequence[Attempt]) -> Finding:
    """A redirect is an answer: each attempt is one connection, and nobody else's."""
    made = Counter(
        f"{attempt.target.number} {urlsplit(attempt.target.url).scheme}"
        for attempt in attempts
        if attempt.target.behaviour.row == 10
    )
    connected = server.connections()
    more = sum(max(0, connected[name] - number) for name, number in made.items())
    return Finding(what="redirects that were followed", seen=f"{more} of {made.total()}", is_kept=more == 0)


def _literals(canary: int, server: Server) -> Finding:
    """Row 12: nobody is dialled where nothing is allowed, however the address is spelt."""
    transport = Transport()
    for host in LITERALS:
        for scheme in ("http", "https"):
            url = f"{scheme}://{host}:{canary}/"
            transport.start(Request(key=url, url=url, headers=[], body=b"{}", timeout_seconds=DEADLINE))
    came: dict[str, Failure | None] = {}
    while transport.in_flight:
        came |= {answer.key: answer.failure for answer in transport.run(0.1)}
    transport.close()
    dialled = [url for url, failure in came.items() if failure not in {Failure.FORBIDDEN_ADDRESS, Failure.BAD_URL}]
    touched = server.connections()["canary"]
    return Finding(
        what="row 12, addresses that are forbidden in every spelling",
        seen=f"{len(came)} tried, {len(dialled)} dialled, the canary heard {touched}{''.join(dialled)}",
        is_kept=not dialled and not touched and len(came) == 2 * len(LITERALS),
    )


def _memory() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)


def targets_without(addresses: Addresses, *rows: int) -> list[Target]:
    return [target for target in addresses.hostile if target.behaviour.row not in rows]
