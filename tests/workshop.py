"""A copy of the project with servers of its own, in which pytest runs often, each time over a new database."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Self, TypeVar

import psycopg

from config.env import BASE_DIR
from config.local.servers import EmbeddedServers
from config.local.settings import environment

LONGEST_SECONDS = 600
"""After it a run of pytest is given up."""
_TEMPLATE, _DATABASE = "workshop_template", "workshop"
_mtimes = count(int(time.time()) + 86_400)
"""Times of changed files, none of which any file of a copy has: a compiled module is known by time and length alone."""

Job = TypeVar("Job")
Result = TypeVar("Result")


class Workshop:
    """A context manager over an empty folder; for one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._tree = folder / "tree"
        self._servers = EmbeddedServers(folder / "data", temporary=True, durable=False)
        self._stack = ExitStack()
        self._environment: dict[str, str] = {}

    def __enter__(self) -> Self:
        _copy_project(self._tree)
        self._stack.enter_context(self._servers)
        self._environment = {
            **environment(self._servers.folder),
            "DATABASE_URL": self._servers.database_url,
            "REDIS_URL": self._servers.redis_url,
            "BROKER_URL": self._servers.redis_url,
            "TEST_DATABASE_NAME": _DATABASE,
        }
        # Compiled modules are kept from one run to the next; each change gives its file a new time.
        self._environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self._make_template()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    @contextmanager
    def changed(self, name: str, change: Callable[[str], str]) -> Iterator[None]:
        """Replace the text of a file of the copy for a while."""
        file = self._tree / name
        original = file.read_text()
        _write(file, change(original))
        try:
            yield
        finally:
            _write(file, original)

    def pytest(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run pytest over a new database; raises ``subprocess.TimeoutExpired`` after ``LONGEST_SECONDS``."""
        self._execute(
            f"DROP DATABASE IF EXISTS {_DATABASE} WITH (FORCE)", f"CREATE DATABASE {_DATABASE} TEMPLATE {_TEMPLATE}"
        )
        options = ["-q", "--no-header", "--tb=line", "--reuse-db"]
        return subprocess.run(  # noqa: S603 — our own tests
            [sys.executable, "-m", "pytest", *options, *arguments],
            cwd=self._tree,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )

    def _make_template(self) -> None:
        """Migrate once; each run of pytest begins with a copy."""
        self._execute(f"CREATE DATABASE {_TEMPLATE}")
        url = self._servers.database_url.rpartition("/")[0]
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity=0"],
            cwd=self._tree,
            env=self._environment | {"DATABASE_URL": f"{url}/{_TEMPLATE}"},
            check=True,
        )

    def _execute(self, *statements: str) -> None:
        with psycopg.connect(self._servers.database_url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


@contextmanager
def workshops(number: int) -> Iterator[list[Workshop]]:
    """Open so many, each with a folder and servers of its own."""
    with ExitStack() as stack:
        made = []
        for _ in range(number):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ringback-workshop-")))
            folder.chmod(0o711)  # root runs the servers as another user, who must be able to enter
            made.append(stack.enter_context(Workshop(folder)))
        yield made


def shared_out(
    jobs: Sequence[Job], among: Sequence[Workshop], work: Callable[[Workshop, Job], Result]
) -> Iterator[Result]:
    """Do the jobs, each in a workshop that is free; yield the results in the order of the jobs."""
    free: SimpleQueue[Workshop] = SimpleQueue()
    for workshop in among:
        free.put(workshop)

    def do(job: Job) -> Result:
        workshop = free.get()
        try:
            return work(workshop, job)
        finally:
            free.put(workshop)

    with ThreadPoolExecutor(max_workers=len(among)) as pool:
        yield from pool.map(do, jobs)


def end_of(output: str) -> str:
    """Return the last lines of what pytest printed."""
    return "\n".join(f"      {line}" for line in output.strip().splitlines()[-6:])


def _copy_project(tree: Path) -> None:
    """Copy what git knows or would take in, so that a change that is not committed yet is tried too."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],  # noqa: S607 — whichever git there is
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source, target = BASE_DIR / name, tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # deleted, and not committed yet
            shutil.copy(source, target)


def _write(file: Path, text: str) -> None:
    file.write_text(text)
    at = next(_mtimes)
    os.utime(file, (at, at))
