"""Work on many rows: a CSV of contacts is imported, a campaign with many contacts is started, its report is written.

Each job runs in a process of its own, as a worker calls it; its memory is looked at from outside, 50 times a second.
The import stores the file in parts, as an upload does, then reads it in batches that check every row and find those
that are known. Beside it, the same rows: read by ``csv`` and inserted by Django's ``bulk_create``, a thousand at a
time, nothing checked; and imported by django-import-export into an equal table, in bulk, and a fifth of them row by
row. Starting a campaign schedules its first contacts and leaves the others to the sweep, which is called here until all
are scheduled. Whether memory is flat is seen beside a fifth of the rows.
"""

import csv
import json
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from uuid import UUID

from bench import apart, filling
from bench.figures import Figure, Size
from bench.peers.environments import environment_of, python_of
from bench.rounds import Rounds, at_least, at_most
from bench.rows import a_campaign
from config.env import BASE_DIR
from dialer.campaigns import completion, imports, lifecycle, report
from dialer.models import Campaign, CampaignContact, Contact, Import
from dialer.rules.statuses import ContactState
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.clock import database_now
from dialer.workspaces.ids import new_id
from dialer.workspaces.models import Workspace

TIMES = 10
IMPORT_SECONDS, START_SECONDS = 60, 5
MORE_MEGABYTES = 10
_IMPORT, _START, _REPORT = "ringback, import", "ringback, campaign start", "ringback, report"
_BULK, _PEER, _ROW_BY_ROW = "bulk_create", "django-import-export in bulk", "django-import-export as it comes"
_PEER_PACKAGE = "django_import_export"
_RATE, _TOOK, _CPU, _PEAK = "rows", "time", "CPU of a row, the job's process", "peak memory"
_MORE = "memory beside a fifth of the rows"
_CHUNK = 65_536


def measure(size: Size) -> Iterator[Figure]:
    rounds = Rounds("bulk_work")
    rows, contacts = size.of(short=20_000, full=500_000), size.of(short=50_000, full=1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        file, smaller = Path(folder) / "contacts.csv", Path(folder) / "fifth.csv"
        _write(file, rows)
        _write(smaller, rows // 5)
        for _ in range(size.rounds):
            ours = peer = None
            with rounds.arm(_IMPORT):
                fifth = apart.run("bench.bulk_work:import_csv", str(smaller))
                ours = apart.run("bench.bulk_work:import_csv", str(file))
                _add(rounds, _IMPORT, ours, rows, fifth=fifth)
            with rounds.arm(_BULK):
                _add(rounds, _BULK, apart.run("bench.bulk_work:bulk_create", str(file)), rows)
            with rounds.arm(_PEER):
                peer = _import_export(file, "InBulk")
                _add(rounds, _PEER, peer, rows)
            if ours and peer:
                rounds.add(_IMPORT, f"times that of {_PEER}", "ratio", peer.seconds / ours.seconds)
            with rounds.arm(_ROW_BY_ROW):
                _add(rounds, _ROW_BY_ROW, _import_export(smaller, "RowByRow"), rows // 5)
    for _ in range(size.rounds):
        with rounds.arm(_START):
            _start(rounds, contacts)
        with rounds.arm(_REPORT):
            _report(rounds, contacts)
    for arm in (_IMPORT, _BULK, _PEER):
        rounds.note(arm, f"{rows:,} rows")
    rounds.note(_ROW_BY_ROW, f"{rows // 5:,} rows")
    for arm in (_START, _REPORT):
        rounds.note(arm, f"{contacts:,} contacts")
    goals = {
        (_IMPORT, f"times that of {_PEER}"): at_least(TIMES),
        (_IMPORT, _MORE): at_most(MORE_MEGABYTES),
        (_REPORT, _MORE): at_most(MORE_MEGABYTES),
    }
    if size.full:
        goals |= {(_IMPORT, _TOOK): at_most(IMPORT_SECONDS), (_START, _TOOK): at_most(START_SECONDS)}
    yield from rounds.figures(goals)


def import_csv(name: str) -> int:
    """Store a file and read it, as an upload and the worker do; returns the good rows."""
    workspace = Workspace.objects.create(name="Bench")
    with Path(name).open("rb") as file:
        chunks = iter(lambda: file.read(_CHUNK), b"")
        source = imports.receive(workspace.id, chunks, file_name="bench.csv", actor=SYSTEM, now=database_now())
    while imports.read_batch(source.pk, now=database_now()):
        pass
    good: int = Import.objects.get(pk=source.pk).rows_good
    return good


def bulk_create(name: str) -> int:
    """Insert the same rows by Django's own means, unchecked."""
    workspace = Workspace.objects.create(name="Bench")
    count = 0
    with Path(name).open() as file:
        made = (Contact(id=new_id(), workspace=workspace, **row) for row in csv.DictReader(file))
        while batch := list(islice(made, 1_000)):
            count += len(Contact.objects.bulk_create(batch))
    return count


def start(campaign_id: UUID, workspace_id: UUID) -> None:
    lifecycle.start(campaign_id, workspace_id=workspace_id, actor=SYSTEM, now=database_now())


def schedule_all(campaign_id: UUID) -> int:
    """Run the sweep until every first call has its time; returns how often it ran."""
    unscheduled = CampaignContact.objects.filter(campaign_id=campaign_id, state=ContactState.WAITING, due_at=None)
    runs = 0
    while unscheduled.exists():
        completion.sweep(now=database_now())
        runs += 1
    return runs


def write_report(campaign_id: UUID) -> int:
    """Write the report to a file that keeps nothing; returns its size in bytes."""
    campaign = Campaign.objects.select_related("workspace").get(pk=campaign_id)
    with Path("/dev/null").open("w") as file:
        return sum(file.write(line) for line in report.lines(campaign, now=database_now()))


def _start(rounds: Rounds, contacts: int) -> None:
    campaign = a_campaign()
    Campaign.objects.filter(pk=campaign.pk).update(status="draft")
    filling.campaign_contacts(campaign, contacts)
    filling.analyse()
    _add(rounds, _START, apart.run("bench.bulk_work:start", campaign.pk, campaign.workspace_id), contacts)
    scheduled = apart.run("bench.bulk_work:schedule_all", campaign.pk)
    rounds.add(_START, "contacts scheduled by the sweep", "1/s", contacts / scheduled.seconds)
    Campaign.objects.filter(pk=campaign.pk).update(status="cancelled")


def _report(rounds: Rounds, contacts: int) -> None:
    campaigns = [a_campaign(), a_campaign()]
    for campaign, count in zip(campaigns, (contacts // 5, contacts), strict=True):
        filling.ended_calls(campaign, count)
    filling.analyse()
    fifth, whole = (apart.run("bench.bulk_work:write_report", campaign.pk) for campaign in campaigns)
    _add(rounds, _REPORT, whole, contacts, fifth=fifth)


def _import_export(file: Path, resource: str) -> apart.Ran:
    done = subprocess.run(  # noqa: S603 — our own command
        [python_of(_PEER_PACKAGE), "-m", f"bench.peers.{_PEER_PACKAGE}.load", file, resource],
        env=environment_of(_PEER_PACKAGE),
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        message = done.stderr.strip()[-500:]
        raise RuntimeError(message)
    took = json.loads(done.stdout)
    return apart.Ran(took["seconds"], took["cpu_seconds"], took["peak_megabytes"], took["rows"])


def _add(rounds: Rounds, arm: str, ran: apart.Ran, rows: int, *, fifth: apart.Ran | None = None) -> None:
    rounds.add(arm, _RATE, "1/s", rows / ran.seconds)
    rounds.add(arm, _TOOK, "s", ran.seconds, better="lower")
    rounds.add(arm, _CPU, "ms", 1000 * ran.cpu_seconds / rows, better="lower")
    rounds.add(arm, _PEAK, "MB", ran.peak_megabytes, better="lower")
    if fifth is not None:
        rounds.add(arm, _MORE, "MB", ran.peak_megabytes - fifth.peak_megabytes, better="lower")


def _write(path: Path, rows: int) -> None:
    with path.open("w") as file:
        file.write("external_id,name,phone\n")
        for number in range(rows):
            file.write(f"customer-{number},Bench {number},+4930{20_000_000 + number}\n")
