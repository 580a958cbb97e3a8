"""``python -m tests.chaos``: beside servers of its own, as ``make chaos`` starts it."""

import logging
import os
import random
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import django

django.setup()

import requests  # noqa: E402 — Django is set up first
from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from redis import Redis  # noqa: E402

from callbacks import scheduling  # noqa: E402
from callbacks.rules.statuses import CallbackType  # noqa: E402
from config.embedded import free_port  # noqa: E402
from config.leash import Leash, kill_group  # noqa: E402
from dialer import campaign_contacts, campaigns, resources  # noqa: E402
from dialer.models import Contact  # noqa: E402
from dialer.workspaces.audit import SYSTEM  # noqa: E402
from dialer.workspaces.clock import database_now  # noqa: E402
from tests.chaos.judge import judge  # noqa: E402
from tests.chaos.plan import Point, deaths_in  # noqa: E402

SPEED = 20
"""A call's second passes in a twentieth of one."""
SCRIPTS = ("00", "01", "02", "03", "05", "06", "00", "12", "13", "00")
"""Last digits: what answers at once, and is never asked twice by the simulated network's own doing."""
LEASE_SECONDS = 4


def main() -> int:
    parser = ArgumentParser(prog="make chaos ARGS=", description=__doc__)
    parser.add_argument("--seed", default="ringback")
    parser.add_argument("--each", type=int, default=6, help="deaths at each of the four points")
    parser.add_argument("--contacts", type=int, default=150, help="first calls")
    parser.add_argument("--promises", type=int, default=120, help="callbacks that fall due while workers die")
    parser.add_argument("--afterwards", type=int, default=60, help="seconds until all is judged")
    parser.add_argument("--flushes", type=int, default=3, help="times that the broker forgets everything")
    options = parser.parse_args()
    logging.disable(logging.INFO)
    began = time.monotonic()
    call_command("migrate", verbosity=0)
    with tempfile.TemporaryDirectory() as folder:
        log, ledger = Path(folder) / "deaths", Path(folder) / "ledger.jsonl"
        environment = _environment(ledger) | {
            "CHAOS_LOG": str(log), "CHAOS_SEED": options.seed, "CHAOS_EACH": str(options.each)
        }  # fmt: skip
        with _processes(environment):
            _load(contacts=options.contacts, promises=options.promises)
            _say(f"{time.monotonic() - began:.0f} s: everything runs, seed {options.seed!r}")
            flushes = _let_die(log, deaths=options.each * len(Point), flushes=options.flushes, seed=options.seed)
            _say(f"{time.monotonic() - began:.0f} s: the last worker has died; {options.afterwards} s for the rest")
            time.sleep(options.afterwards)
            findings = judge(ledger, now=database_now())
            died = Counter(deaths_in(log))
    for point in Point:
        _say(f"  {died[point]:3} x kill -9 {point}")
    _say(f"  {flushes:3} x the broker flushed")
    for finding in findings:
        _say(f"  {'kept  ' if finding.is_kept else 'BROKEN'}  {finding.rule}: {finding.seen}")
    is_whole = all(died[point] >= options.each for point in Point) and flushes >= options.flushes
    _say(f"{time.monotonic() - began:.0f} s")
    return 0 if is_whole and all(finding.is_kept for finding in findings) else 1


def _environment(ledger: Path) -> dict[str, str]:
    port, carrier_port = free_port(), free_port()
    return {
        **os.environ,
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "WEB_PROCESSES": "1",
        "SIMULATED_CARRIER_URL": f"http://127.0.0.1:{carrier_port}",
        "SIMULATED_CARRIER_LEDGER": str(ledger),
        "DEMO_API_KEY": "",  # the voice agent is silent
        "CARRIER_SIMULATED_CLASS": "tests.chaos.carrier.DeadlyCarrier",
        "LEASE_SECONDS": str(LEASE_SECONDS),
        "LOG_LEVEL": "WARNING",
        "PYTHONUNBUFFERED": "1",
        "DATABASE_POOL_SIZE": "6",
    }


@contextmanager
def _processes(environment: Mapping[str, str]) -> Iterator[None]:
    """Run what the Procfile names, as far as calls need it; only the dial worker knows of its fate."""
    python = sys.executable
    worker = [python, "-m", "celery", "--quiet", "-A", "config.celery", "worker", "--loglevel", "WARNING"]
    threads = ["--pool", "threads", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    commands = {
        "web": [python, "-m", "gunicorn", "config.wsgi", "--config", "python:config.gunicorn", "--log-level", "error"],
        "carrier": [python, "manage.py", "simulated_carrier", f"--speed={SPEED}"],
        "beat": [python, "-m", "celery", "--quiet", "-A", "config.celery", "beat", "--loglevel", "WARNING"],
        "tick": [*worker, "--queues", "tick", "--hostname", "tick@chaos", "--concurrency", "2", *threads],
        "dial": [python, "-m", "tests.chaos.worker"],
    }
    lively = {name: value for name, value in environment.items() if not name.startswith("CHAOS_")}
    leash = Leash()
    running = [
        leash.start(
            command,
            environment={**(environment if name == "dial" else lively), "PROCESS": name},
            output=subprocess.DEVNULL if name == "carrier" else None,
        )
        for name, command in commands.items()
    ]
    try:
        _eventually(lambda: requests.get(f"{environment['PUBLIC_URL']}/healthz", timeout=5).ok)
        _eventually(lambda: requests.get(f"{environment['SIMULATED_CARRIER_URL']}/health", timeout=5).ok)
        yield
    finally:
        for keeper in running:
            kill_group(keeper)
            keeper.wait()


def _eventually(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            if is_so():
                return
        except requests.RequestException:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def _load(*, contacts: int, promises: int) -> None:
    """Make a campaign whose first calls and callbacks fall due over the next half minute."""
    now = database_now()
    workspace = resources.open_workspace(name="Chaos", actor=SYSTEM, now=now, contact_limits=[])
    persona = resources.create_persona(workspace.id, name="Sara", actor=SYSTEM, now=now)
    resources.create_line(workspace.id, name="Simulated", calls_per_second=None, is_default=True, actor=SYSTEM, now=now)
    campaign = campaigns.create(
        workspace.id,
        name="Chaos",
        persona_id=persona.id,
        schedule={"calling_hours": {"start": "00:00", "end": "24:00"}, "callback_retry_schedule": [1]},
        calls_per_second=20,
        actor=SYSTEM,
        now=now,
    ).campaign
    people = Contact.objects.bulk_create(
        Contact(
            workspace=workspace,
            name=f"Contact {n}",
            phone=f"+4930{n:06d}00{SCRIPTS[n % len(SCRIPTS)]}",
            time_zone="UTC",
            zones=["UTC"],
            timezone_source="contact",
        )
        for n in range(contacts + promises)
    )
    for n, person in enumerate(people[contacts:]):
        scheduling.request(
            workspace_id=workspace.id,
            contact_id=person.id,
            campaign_id=campaign.id,
            type=CallbackType.CUSTOMER_REQUESTED,
            scheduled_at=now + timedelta(seconds=5 + 25 * n / max(promises, 1)),
            actor=SYSTEM,
            now=now,
        )
    called_first = [person.id for person in people[:contacts]]
    campaign_contacts.put_in(campaign.id, called_first, workspace_id=workspace.id, now=now)
    campaigns.start(campaign.id, workspace_id=workspace.id, actor=SYSTEM, now=now)


def _let_die(log: Path, *, deaths: int, flushes: int, seed: str) -> int:
    """Wait until every death of the plan was died, the broker flushed in between; return how often it was."""
    dice = random.Random(seed)  # noqa: S311 — chance that can be repeated is what is wanted
    after = sorted(dice.sample(range(2, deaths - 1), flushes))
    broker = Redis.from_url(settings.BROKER_URL)
    done = 0
    deadline = time.monotonic() + 240
    while (died := len(deaths_in(log))) < deaths and time.monotonic() < deadline:
        if done < flushes and died >= after[done]:
            broker.flushdb()
            done += 1
        time.sleep(0.05)
    return done


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
