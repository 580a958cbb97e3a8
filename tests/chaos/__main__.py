"""``python -m tests.chaos``: beside durable servers of its own, as ``make chaos`` starts it.

Every process of the Procfile, a second beat, workers whose clocks are wrong, and one that dies at named points; then a
storm, then peace, and when all has drained, the judges.
"""

import logging
import os
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import django

django.setup()

import requests  # noqa: E402 — Django is set up first
from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402

from config.local.settings import free_port  # noqa: E402
from dialer.workspaces.clock import database_now  # noqa: E402
from tests.chaos.app import STALLED_SECONDS  # noqa: E402
from tests.chaos.crew import Crew, Process, eventually, of_procfile, python  # noqa: E402
from tests.chaos.endings import as_faults, ended_alone  # noqa: E402
from tests.chaos.faults import FaultLog, Kind  # noqa: E402
from tests.chaos.history import History  # noqa: E402
from tests.chaos.judge import Finding, judge  # noqa: E402
from tests.chaos.plan import Point, deaths_in  # noqa: E402
from tests.chaos.promise_judge import judge_promises  # noqa: E402
from tests.chaos.reading import history_of, left_undone, listed_faults, story_of  # noqa: E402
from tests.chaos.servers import Broker, Rabbit, Valkey  # noqa: E402
from tests.chaos.storm import LONG, SHORT, USUAL, Length, Storm, plan  # noqa: E402
from tests.chaos.world import Asking, World, make  # noqa: E402
from tests.rabbitmq import RabbitMQ  # noqa: E402

SPEED = 20
"""A call's second passes in a twentieth of one."""
LEASE_SECONDS = 4
AHEAD_SECONDS = 90
STOPPED = ("worker-dial", "worker-webhooks", "worker-tick")
_STORIES = 2


class NotUp(Exception):
    """A process does not answer although nothing was done to it yet."""


def main() -> int:
    options = _options()
    logging.disable(logging.INFO)
    length = _length(options)
    began = time.monotonic()
    call_command("migrate", verbosity=0)
    with _folder(options.keep) as folder, _broker(options.broker, folder) as (broker, broker_url):
        environment = _environment(folder, broker_url=broker_url, options=options)
        log = FaultLog(folder / "faults")
        processes = _processes(environment, folder, options)
        with Crew(processes, environment=environment, folder=folder, log=log) as crew:
            findings, history = _run(crew, environment, folder, broker, length=length, options=options, began=began)
            findings.append(ended_alone(crew.ended, history.faults))
    for text in listed_faults(history):
        _say(f"  {text}")
    for kind, count in sorted(Counter(fault.kind for fault in history.faults).items()):
        _say(f"  {count:3} x {kind}")
    for finding in findings:
        _say(f"  {'kept  ' if finding.is_kept else 'BROKEN'}  {finding.rule}: {finding.seen}")
    broken = [finding for finding in findings if not finding.is_kept]
    for subject in list(dict.fromkeys(subject for finding in broken for subject in finding.subjects))[:_STORIES]:
        _say(f"the story of {subject}:")
        for text in story_of(subject, history):
            _say(f"  {text}")
    _say(f"{time.monotonic() - began:.0f} s, load {os.getloadavg()[0]:.1f}, again with --seed {options.seed!r}")
    return 1 if broken else 0


def _options() -> Namespace:
    parser = ArgumentParser(prog="make chaos ARGS=", description=__doc__)
    lengths = parser.add_mutually_exclusive_group()
    lengths.add_argument("--short", action="store_true", help="everything once, under two minutes, for CI")
    lengths.add_argument("--long", action="store_true", help="for a night")
    parser.add_argument("--seed", default="ringback")
    parser.add_argument("--broker", choices=("valkey", "rabbitmq"), default="valkey")
    parser.add_argument("--keep", type=Path, help="a folder for logs, ledger and faults, in place of a temporary one")
    options = parser.parse_args()
    options.people = (
        (90, 42, 30, 12) if options.short else (2000, 420, 600, 120) if options.long else (300, 84, 120, 40)
    )
    options.each = 1 if options.short else 12 if options.long else 4
    options.minute = 60.0 if options.long else 8.0
    options.drain = 180 if options.short else 900 if options.long else 240
    return options


def _run(
    crew: Crew,
    environment: Mapping[str, str],
    folder: Path,
    broker: Broker,
    *,
    length: Length,
    options: Namespace,
    began: float,
) -> tuple[list[Finding], History]:
    log, web, carrier = crew.log, environment["PUBLIC_URL"], environment["SIMULATED_CARRIER_URL"]
    log.begin(Kind.BEATS, [], "all the time")
    log.begin(Kind.CLOCKS, [], f"worker-dial-ahead and worker-webhooks are {AHEAD_SECONDS} s ahead all the time")
    for url in (f"{web}/healthz", f"{carrier}/health"):
        is_up = eventually(lambda url=url: requests.get(url, timeout=5).ok, but=requests.RequestException)  # type: ignore[misc]
        if not is_up:
            raise NotUp(url)
    mild, wild, promised, both = options.people
    world = make(
        mild=mild, wild=wild, promised=promised, both=both, storm_seconds=length.seconds,
        receiver=f"http://127.0.0.1:{environment['RECEIVER_PORT']}/",
    )  # fmt: skip
    _say(f"{time.monotonic() - began:.0f} s: everything runs, seed {options.seed!r}, broker {options.broker}")
    asking = Asking(world, url=web, ledger=folder / "ledger.jsonl")
    asking.start()
    storm = Storm(
        crew, log=log, broker=broker, carrier=carrier, secret=settings.SIMULATED_CARRIER_SECRET,
        doubled=folder / "doubled", length=length,
    )  # fmt: skip
    killed = [name for name in crew.by_name if name != "dial-by-plan"]
    storm.blow(plan(seed=options.seed, length=length, processes=killed, stopped=STOPPED))
    _say(f"{time.monotonic() - began:.0f} s: the storm is over; {left_undone()} left")
    asking.finish(within_seconds=options.drain)
    eventually(lambda: not left_undone(), within_seconds=options.drain)
    _say(f"{time.monotonic() - began:.0f} s: drained")
    history = _history(world, folder, options)
    history = replace(history, faults=[*history.faults, *as_faults(crew.ended)])
    findings = [
        *judge(folder / "ledger.jsonl", now=database_now()),
        *judge_promises(history),
        _as_planned(storm, folder / "faults", each=options.each),
        _answered(asking),
        _drained(),
    ]
    return findings, history


def _history(world: World, folder: Path, options: Namespace) -> History:
    return history_of(
        world,
        ledger=folder / "ledger.jsonl",
        received=folder / "received",
        hands=folder / "hands",
        log=folder / "faults",
        delay_seconds=options.minute,
        in_hand_seconds=10.0 if options.long else 2 * STALLED_SECONDS,
    )


def _as_planned(storm: Storm, log: Path, *, each: int) -> Finding:
    died = Counter(deaths_in(log))
    seen = [*storm.failures, *(f"{died[point]} of {each} {point}" for point in Point if died[point] < each)]
    return Finding(rule="every fault was done as planned", seen="; ".join(seen) or "all", is_kept=not seen)


def _answered(asking: Asking) -> Finding:
    refused = f"{len(asking.refusals)} answers were refusals{''.join(f'; {text}' for text in asking.refusals[-1:])}"
    seen = f"{asking.unanswered} were not, {len(asking.left)} in all not asked for or not answered, {refused}"
    return Finding(rule="every wish was answered in the end", seen=seen, is_kept=not asking.unanswered)


def _drained() -> Finding:
    left = left_undone()
    return Finding(rule="nothing is left undone after the storm", seen=str(left or "nothing"), is_kept=not left)


def _environment(folder: Path, *, broker_url: str, options: Namespace) -> dict[str, str]:
    port, carrier_port = free_port(), free_port()
    hurried = {} if options.long else {"CHAOS_MINUTE_SECONDS": str(options.minute)}
    return {
        **os.environ,
        **hurried,
        "BROKER_URL": broker_url,
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "WEB_PROCESSES": "1",
        "RECEIVER_PORT": str(free_port()),
        "SIMULATED_CARRIER_URL": f"http://127.0.0.1:{carrier_port}",
        "SIMULATED_CARRIER_LEDGER": str(folder / "ledger.jsonl"),
        "CHAOS_HANDS": str(folder / "hands"),
        "CHAOS_DOUBLED": str(folder / "doubled"),
        "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "DEMO": "0",
        "DEMO_API_KEY": "",  # the voice agent is silent
        "LEASE_SECONDS": str(LEASE_SECONDS),
        "HORIZON_SECONDS": "10",
        "IDLE_TRANSACTION_TIMEOUT_SECONDS": "5",  # what a stopped worker holds is free again soon
        "CAMPAIGN_COMPLETION_GRACE_SECONDS": str(round(_length(options).seconds) + 10),
        "LOG_LEVEL": "WARNING",
        "PYTHONUNBUFFERED": "1",
    }


def _length(options: Namespace) -> Length:
    return SHORT if options.short else LONG if options.long else USUAL


def _processes(environment: Mapping[str, str], folder: Path, options: Namespace) -> list[Process]:
    """Return the Procfile's processes, and those that a storm has beside them."""
    processes = {process.name: process for process in of_procfile(environment)}
    ahead = {"CHAOS_CLOCK": str(AHEAD_SECONDS)}
    carrier, dial, webhooks = processes["carrier"], processes["worker-dial"], processes["worker-webhooks"]
    carrier.command = [*carrier.command, f"--speed={SPEED}"]
    webhooks.environment = {**webhooks.environment, **ahead}
    dial_ahead = [word.replace("dial@", "dial-ahead@") for word in dial.command]
    by_plan = {
        "CHAOS_LOG": str(folder / "faults"),
        "CHAOS_SEED": options.seed,
        "CHAOS_EACH": str(options.each),
        "CHAOS_PASSES": "0" if options.short else "3",  # others have most of the little work there is
        "CARRIER_SIMULATED_CLASS": "tests.chaos.carrier.DeadlyCarrier",
    }
    return [
        *processes.values(),
        Process(name="beat-2", command=processes["beat"].command, environment=processes["beat"].environment),
        Process(name="worker-dial-ahead", command=dial_ahead, environment={**dial.environment, **ahead}),
        Process(name="dial-by-plan", command=python("tests.chaos.worker"), environment=by_plan),
        Process(
            name="receiver",
            command=python("tests.chaos.inbox", str(folder / "received"), environment["RECEIVER_PORT"]),
        ),
    ]


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True)
        yield keep
    else:
        with tempfile.TemporaryDirectory(prefix="chaos-") as name:
            yield Path(name)


@contextmanager
def _broker(kind: str, folder: Path) -> Iterator[tuple[Broker, str]]:
    if kind == "valkey":
        yield Valkey(), settings.REDIS_URL
    else:
        with RabbitMQ(folder) as node:
            yield Rabbit(node), node.url


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
