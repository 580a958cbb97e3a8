"""Secrets and ports of a local run: made once and kept.

They live in ``DATA_DIR/local.json``, readable by their owner only. What the environment says wins over them.
``python -m config.local.settings`` shows where the demo is and how to enter it.
"""

import base64
import contextlib
import json
import os
import secrets
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from config.env import BASE_DIR

RELAXED = {
    "BEHIND_TLS": "0",
    "HOST": "127.0.0.1",
    "ALLOWED_HOSTS": "127.0.0.1,localhost",
    "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
}
"""What a run on one's own machine does without, and to whom it listens; a server starts without these."""


def data_dir() -> Path:
    return BASE_DIR / os.environ.get("DATA_DIR", ".data")


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a local process: ours, completed by what is kept in ``folder`` and by what relaxes."""
    ours = {
        "DATA_DIR": str(folder),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }
    return {"DEMO": "1"} | RELAXED | kept(folder) | os.environ | ours


def kept(folder: Path, **chosen: str) -> dict[str, str]:
    """Return what is kept in a folder, and keep what is chosen now; the secrets are made at the first call."""
    made = {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "ENCRYPTION_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "SIMULATED_CARRIER_SECRET": secrets.token_urlsafe(24),
        "DEMO_PASSWORD": secrets.token_urlsafe(9),
        "DEMO_API_KEY": f"rb_{secrets.token_urlsafe(32)}",
    }
    known = read_json(folder / "local.json")
    complete = made | known | chosen
    if complete != known:
        write_json(folder / "local.json", complete)
    return complete


def read_json(path: Path) -> dict[str, str]:
    """Return what a file holds; nothing where there is no file, or one cut short."""
    with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
        return dict(json.loads(path.read_text()))
    return {}


def write_json(path: Path, values: Mapping[str, str]) -> None:
    """Replace a file as a whole; only its owner may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(values, indent=1))
    draft.replace(path)


def is_free(port: int) -> bool:
    """Say whether a port of 127.0.0.1 can be listened on; does not listen, so that its owner may begin meanwhile."""
    with contextlib.suppress(OSError), socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        return True
    return False


def free_port(*preferred: int | str | None) -> int:
    """Return the first of these that is free, else one below those that the kernel gives to outgoing connections."""
    candidates = [int(port) for port in preferred if port]
    while not (free := [port for port in candidates if is_free(port)]):
        candidates = [20_000 + secrets.randbelow(10_000)]
    return free[0]


def welcome(settings: Mapping[str, str]) -> str:
    """Say where everything is, and how to enter the demo."""
    base = f"http://127.0.0.1:{settings['PORT']}"
    lines = [f"  admin      {base}/admin/", f"  API docs   {base}/api/docs/"]
    if settings["DEMO"] != "0":
        lines += [
            f"  inbox      {base}/demo/inbox/",
            f"  user       admin    password  {settings['DEMO_PASSWORD']}",
            f"  API key    {settings['DEMO_API_KEY']}",
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(welcome({"PORT": "8000"} | environment(data_dir())) + "\n")
