"""Peers that are Django projects: an environment of its own each, made from its requirements, and a database."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import psycopg
from psycopg import sql

from config.env import BASE_DIR

_PEERS = Path(__file__).parent


class NotInstalled(Exception):
    """A peer cannot be installed; the message is what pip said last."""


@cache
def python_of(peer: str) -> Path:
    """Return the Python of a peer's environment, which is made if it is not there, and again for new requirements."""
    requirements = _PEERS / peer / "requirements.txt"
    folder = BASE_DIR / f".venv-bench-{peer.replace('_', '-')}"
    stamp = folder / "installed.txt"
    if not stamp.exists() or stamp.read_text() != requirements.read_text():
        print(f"installing {peer} into {folder.name}/", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)  # noqa: S603 — our own command
        pip = f"{folder}/bin/python -m pip install --quiet --disable-pip-version-check --requirement {requirements}"
        done = subprocess.run(pip.split(), capture_output=True, text=True, check=False)  # noqa: S603 — our own command
        if done.returncode:
            raise NotInstalled(done.stderr.strip()[-500:])
        stamp.write_text(requirements.read_text())
    return folder / "bin" / "python"


def environment_of(peer: str) -> dict[str, str]:
    """Return the settings of a peer's processes, with a new database of its own beside ours."""
    name = f"bench_{peer}"
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        for command in ("DROP DATABASE IF EXISTS {} WITH (FORCE)", "CREATE DATABASE {}"):
            connection.execute(sql.SQL(command).format(sql.Identifier(name)))
        server = connection.info
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": f"bench.peers.{peer}.settings",
            "PEER_DATABASE": name,
            "PEER_HOST": server.host,
            "PEER_PORT": str(server.port),
            "PEER_USER": server.user,
            "PEER_PASSWORD": server.password,
        }
