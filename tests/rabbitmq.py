"""A private RabbitMQ from the system's packages: a node of its own on loopback, over a folder of its own.

``apt-get install rabbitmq-server`` brings it. Whatever ends this process ends the node and its port mapper too.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from kombu import Connection, Queue

from config.local.keeper import has_ended, kill_group, start_kept
from config.local.settings import free_port

_START_SECONDS = 240
_SBIN = (Path("/usr/lib/rabbitmq/bin"), Path("/usr/local/sbin"), Path("/opt/homebrew/sbin"))
"""Where the scripts are themselves; what Debian has in PATH becomes another user first."""
_LITTLE, _TOO_MUCH = "50MB", "1000TB"


class RabbitMQNotStartable(Exception):
    """The node does not start; the message says why."""


def is_installed() -> bool:
    return _script("rabbitmq-server") is not None


class RabbitMQ:
    """One node; a context manager. Queues that are durable outlive :meth:`kill`, transient messages do not."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "rabbitmq"
        self._port = free_port()
        self._environment = self._prepare()
        self._mapper: subprocess.Popen[bytes] | None = None
        self._node: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self._port}//"

    def __enter__(self) -> Self:
        try:
            self._mapper = start_kept(["epmd"], environment=self._environment, output=subprocess.DEVNULL)
            self.start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def start(self) -> None:
        """Start the node over what the folder has; return when it takes connections."""
        script = _script("rabbitmq-server")
        if script is None:
            message = "RabbitMQ is not installed: apt-get install rabbitmq-server"
            raise RabbitMQNotStartable(message)
        log = self._folder / "node.log"
        with log.open("ab") as output:
            self._node = start_kept([script], environment=self._environment, output=output)
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if has_ended(self._node) or time.monotonic() > deadline:
                message = f"RabbitMQ did not start; the end of {log}:\n{log.read_text(errors='replace')[-2000:]}"
                raise RabbitMQNotStartable(message)
            time.sleep(0.1)

    def kill(self) -> None:
        """End the node as ``kill -9`` does."""
        if self._node is not None:
            kill_group(self._node)
            self._node = None

    def restart(self) -> None:
        self.kill()
        self.start()

    def purge(self, *queues: str) -> None:
        """Forget every message that waits in these queues."""
        with Connection(self.url) as connection:
            for queue in queues:
                Queue(queue, channel=connection.default_channel).purge()

    def fill(self) -> None:
        """Let the node find its disk full: it takes no message until :meth:`relieve`."""
        self._limit_disk(_TOO_MUCH)

    def relieve(self) -> None:
        self._limit_disk(_LITTLE)

    def _answers(self) -> bool:
        try:
            with Connection(self.url, connect_timeout=2) as connection:
                connection.connect()
        except OSError:
            return False
        return True

    def _limit_disk(self, free: str) -> None:
        """Do what ``rabbitmqctl set_disk_free_limit`` does, which itself takes longer than a test has."""
        node = self._environment["RABBITMQ_NODENAME"]
        call = f"rpc:call('{node}', rabbit_disk_monitor, set_disk_free_limit, [\"{free}\"])"
        done = subprocess.run(  # noqa: S603 — our own node
            ["erl", "-sname", "control@localhost", "-hidden", "-noinput", "-eval", f"ok = {call}, halt(0)."],  # noqa: S607
            env=self._environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode != 0:
            message = f"RabbitMQ did not take the limit: {done.stdout[-500:]}{done.stderr[-500:]}"
            raise RuntimeError(message)

    def _end(self) -> None:
        self.kill()
        if self._mapper is not None:
            kill_group(self._mapper)

    def _prepare(self) -> Mapping[str, str]:
        self._folder.mkdir(parents=True)
        configuration = self._folder / "rabbitmq.conf"
        configuration.write_text(
            f"listeners.tcp.local = 127.0.0.1:{self._port}\n"
            f"disk_free_limit.absolute = {_LITTLE}\n"
            "log.file = false\nlog.console = true\nlog.console.level = warning\n"
        )
        plugins = self._folder / "enabled_plugins"
        plugins.write_text("[].\n")
        return {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "HOME": str(self._folder),  # the cookie's place
            "ERL_EPMD_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"ringback-{self._port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CONFIG_FILE": str(configuration),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "data"),
            "RABBITMQ_LOG_BASE": str(self._folder),
            "RABBITMQ_PID_FILE": str(self._folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none",
        }


def _script(name: str) -> Path | None:
    """Return the script itself, which runs as whoever calls it."""
    found = next((folder / name for folder in _SBIN if (folder / name).exists()), None)
    if found is not None:
        return found.resolve()
    elsewhere = shutil.which(name)
    return Path(elsewhere) if elsewhere else None
