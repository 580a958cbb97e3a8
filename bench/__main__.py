"""``make bench``: every scenario, each in a process of its own on a fresh database of the same servers.

The servers have to be on this machine; ``make bench`` starts a pair of its own that writes as durably as real ones. A
scenario that fails is reported with its error, and the others go on. What is found is printed, and kept in a folder if
all scenarios ran or ``--into`` names one.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql
from redis import Redis

from bench import machine, page
from bench.figures import Figure
from bench.meters import Others
from bench.peers import workers
from bench.peers.catalogue import PEERS
from bench.results import Results, ScenarioResult
from config.env import BASE_DIR
from config.local.keeper import kill_group, start_kept

SCENARIOS: Mapping[str, str] = {
    "lifecycle": "bench.lifecycle",
    "lateness": "bench.lateness",
    "thundering_second": "bench.thundering_second",
    "claim_growth": "bench.claim_growth",
    "carrier_reports": "bench.carrier_reports",
    "carrier_places": "bench.carrier_places",
    "webhooks": "bench.webhooks",
    "hanging_receivers": "bench.hanging_receivers",
    "bulk_work": "bench.bulk_work",
    "api": "bench.api",
    "idle": "bench.idle",
}
"""The scenarios in their order, and the module whose ``measure(size)`` yields the figures of each."""
_LONGEST_SECONDS = 3_600
_TEMPLATE = "bench_template"
_VALKEY_DATABASE = 15
"""A numbered database of the one Valkey; it is emptied for every scenario, and the numbers below it are left alone."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"of {', '.join(SCENARIOS)}; default: all")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--full", action="store_true", help="large sizes, five rounds; takes an hour or more")
    sizes.add_argument("--short", action="store_true", help="one round, to see whether all work")
    parser.add_argument(
        "--rounds", type=int, help="instead of two; lateness and thundering_second have one unless --full"
    )
    parser.add_argument(
        "--into",
        type=Path,
        help="folder for results.json, README.md and plots; default: docs/bench. "
        "Scenarios that were not asked for stay as they are there",
    )
    options = parser.parse_args()
    unknown = sorted(set(options.scenarios) - SCENARIOS.keys())
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    rounds = options.rounds or (5 if options.full else 1 if options.short else 2)
    size = [f"--rounds={rounds}", *(["--full"] if options.full else [])]
    began = datetime.now(UTC)
    workers.install()
    with _template():
        results = Results(
            began=began.isoformat(timespec="seconds"),
            command=" ".join(["python -m bench", *options.scenarios, *size]),
            machine=machine.machine(),
            versions=machine.versions(),
            durability=machine.durability(),
            peers={peer.name: peer.configuration for peer in PEERS},
            scenarios=list(_measured(options.scenarios or list(SCENARIOS), size)),
        )
    print(page.as_text(results))
    into = options.into or (None if options.scenarios or options.short else BASE_DIR / "docs" / "bench")
    if into:
        write(with_earlier(results, into), into)
        print(f"written to {into}")
    return 1 if any(scenario.error for scenario in results.scenarios) else 0


def with_earlier(results: Results, into: Path) -> Results:
    """Add the scenarios that were not measured now, as the folder has them.

    Raises ``SystemExit`` if those were measured on another machine.
    """
    file = into / "results.json"
    if not file.exists():
        return results
    earlier = json.loads(file.read_text())
    if earlier["machine"] != results.machine:
        message = f"{file} is of another machine: name another folder, or measure all scenarios"
        raise SystemExit(message)
    found = {
        each["name"]: ScenarioResult(**{**each, "figures": [Figure(**figure) for figure in each["figures"]]})
        for each in earlier["scenarios"]
    } | {scenario.name: scenario for scenario in results.scenarios}
    return replace(results, scenarios=[found[name] for name in SCENARIOS if name in found])


def write(results: Results, into: Path) -> None:
    """Write the run as data, as a page, and as plots, over those of an earlier run."""
    into.mkdir(parents=True, exist_ok=True)
    (into / "results.json").write_text(json.dumps(asdict(results), indent=1, ensure_ascii=False) + "\n")
    for name, plot in page.plots(results).items():
        (into / name).write_text(plot)
    (into / "README.md").write_text(page.as_markdown(results))


def _measured(names: Sequence[str], size: Sequence[str]) -> Iterator[ScenarioResult]:
    for name in names:
        print(f"{name} …", flush=True)
        with _database(name) as environment:
            yield run(name, SCENARIOS[name], size, environment)


def run(name: str, module: str, size: Sequence[str], environment: Mapping[str, str]) -> ScenarioResult:
    """Measure one scenario in a process of its own; whatever it fails with is in the result."""
    when, began = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    with tempfile.TemporaryDirectory() as folder, Others() as others:
        found = Path(folder) / "figures"
        command = [sys.executable, "-m", "bench.measure", module, str(found), *size]
        keeper = start_kept(command, environment={**os.environ, **environment})
        try:
            status = keeper.wait(_LONGEST_SECONDS)
            error = f"ended with status {status}" if status else ""
        except subprocess.TimeoutExpired:
            error = f"not done after {_LONGEST_SECONDS} s"
        finally:
            kill_group(keeper)
        figures, said = _read(found)
    result = ScenarioResult(
        name=name,
        began=when,
        seconds=time.monotonic() - began,
        load_before=others.load_before,
        load_after=others.load_after,
        others_cores=others.cores,
        steal=others.steal,
        figures=figures,
        error=said or error,
    )
    print(page.scenario_as_text(result), flush=True)
    return result


def _read(file: Path) -> tuple[list[Figure], str]:
    """Return the figures that a scenario wrote, and what it failed with."""
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    failed = [line["failed"] for line in lines if "failed" in line]
    return [Figure(**line) for line in lines if "failed" not in line], failed[0] if failed else ""


@contextmanager
def _template() -> Iterator[None]:
    """Migrate a database once; scenarios copy it."""
    with _made(_TEMPLATE, "template0"):
        migrated = start_kept(
            [sys.executable, "manage.py", "migrate", "--verbosity=0"],
            environment={**os.environ, "DATABASE_URL": _url_of(_TEMPLATE)},
        )
        if migrated.wait():
            sys.exit("the database could not be migrated")
        yield


@contextmanager
def _database(scenario: str) -> Iterator[dict[str, str]]:
    """Make a copy of the template and empty a numbered Valkey database; yields the settings that name both."""
    valkey = f"{os.environ['REDIS_URL'].rpartition('/')[0]}/{_VALKEY_DATABASE}"
    with Redis.from_url(valkey) as client, _made(f"bench_{scenario}", _TEMPLATE):
        client.flushdb()
        yield {"DATABASE_URL": _url_of(f"bench_{scenario}"), "REDIS_URL": valkey, "BROKER_URL": valkey}
        client.flushdb()


@contextmanager
def _made(name: str, template: str) -> Iterator[None]:
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    make = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(drop)
        connection.execute(make)
    try:
        yield
    finally:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(drop)


def _url_of(database: str) -> str:
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{database}"))


if __name__ == "__main__":
    raise SystemExit(main())
