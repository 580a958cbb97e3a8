"""A private RabbitMQ: a node on loopback with folders of its own, gone afterwards; only the binary is installed."""

import os
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import kombu

from config.embedded import free_port
from config.leash import Leash, kill_group

# Not the command in /usr/sbin: as root it would run the node as another user, who cannot enter our folder.
_PLACES = (Path("/usr/lib/rabbitmq/bin/rabbitmq-server"), Path("/opt/homebrew/sbin/rabbitmq-server"))
HOW_TO_INSTALL = "there is no rabbitmq-server here: apt-get install rabbitmq-server (Debian), and disable its service"
_START_SECONDS = 90


def rabbitmq_server() -> Path | None:
    """Return the program, where there is one."""
    on_path = shutil.which("rabbitmq-server")
    return next((place for place in _PLACES if place.exists()), Path(on_path) if on_path else None)


class RabbitMq:
    """A node from nothing; a context manager."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._port = free_port()
        self._leash = Leash()
        self._stack = ExitStack()

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self._port}//"

    def __enter__(self) -> Self:
        self._folder.mkdir()
        names, between_nodes = free_port(), free_port()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),  # for the cookie that nodes know each other by
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(names),
            "RABBITMQ_NODENAME": f"real-run-{self._port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(between_nodes),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": str(self._folder / "data"),
            "RABBITMQ_LOG_BASE": str(self._folder / "logs"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(self._folder / "rabbitmq"),
            "RABBITMQ_CONF_ENV_FILE": str(self._folder / "environment"),
        }
        (self._folder / "environment").touch()
        with ExitStack() as stack:
            # The node would leave a daemon of it behind, were there none.
            for command in (("epmd",), (str(self._program),)):
                with (self._folder / "said").open("ab") as said:
                    keeper = self._leash.start(command, environment=environment, output=said)
                stack.callback(_end, keeper)
            with kombu.Connection(self.url, connect_timeout=5) as connection:
                connection.ensure_connection(max_retries=_START_SECONDS, interval_start=1, interval_step=0)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


def _end(keeper: subprocess.Popen[bytes]) -> None:
    kill_group(keeper)
    keeper.wait()
