"""Secrets and ports of a local run, made once and stored.

They are in ``DATA_DIR/local.json``, readable by their owner only; the environment overrides them.
``python -m config.local.settings`` prints the demo's addresses, password and API key.
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
    "LOCAL_RUN": "1",
    "BEHIND_TLS": "0",
    "HOST": "127.0.0.1",
    "ALLOWED_HOSTS": "127.0.0.1,localhost",
    "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
}
"""The relaxed settings of a local run and the address it listens on; a production server does not use them."""


def data_dir() -> Path:
    return BASE_DIR / os.environ.get("DATA_DIR", ".data")


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a local process: ours, plus the values stored in ``folder`` and relaxed settings."""
    ours = {
        "DATA_DIR": str(folder),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }
    return {"DEMO": "1"} | RELAXED | kept(folder) | os.environ | ours


def kept(folder: Path, **chosen: str) -> dict[str, str]:
    """Return the values stored in a folder after adding ``chosen``; the first call makes the secrets."""
    made = {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "ENCRYPTION_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "METRICS_TOKEN": secrets.token_urlsafe(24),
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
    """Return a file's values; empty if it does not exist or is incomplete."""
    with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
        return dict(json.loads(path.read_text()))
    return {}


def write_json(path: Path, values: Mapping[str, str]) -> None:
    """Replace a file atomically; only its owner may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(values, indent=1))
    draft.replace(path)


def is_free(port: int) -> bool:
    """Return whether a port of 127.0.0.1 is free; does not listen on it, so its owner may start meanwhile."""
    with contextlib.suppress(OSError), socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        return True
    return False


def free_port(*preferred: int | str | None) -> int:
    """Return the first free port of ``preferred``, else one below the kernel's range for outgoing connections."""
    candidates = [int(port) for port in preferred if port]
    while not (free := [port for port in candidates if is_free(port)]):
        candidates = [20_000 + secrets.randbelow(10_000)]
    return free[0]


def welcome(settings: Mapping[str, str]) -> str:
    """Return the addresses of all pages, and the demo's password and API key."""
    base = f"http://127.0.0.1:{settings['PORT']}"
    lines = [
        f"  admin      {base}/admin/",
        f"  API docs   {base}/api/docs/",
        f"  metrics    {base}/metrics    bearer token  {settings['METRICS_TOKEN']}",
    ]
    if settings["DEMO"] != "0":
        lines += [
            f"  inbox      {base}/demo/inbox/",
            f"  user       admin    password  {settings['DEMO_PASSWORD']}",
            f"  API key    {settings['DEMO_API_KEY']}",
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(welcome({"PORT": "8000"} | environment(data_dir())) + "\n")
