"""What a run on one's own machine needs and nobody should have to think of: secrets and ports, made once and kept.

They live in ``DATA_DIR/local.json``, readable by their owner only. What the environment says wins over them.
"""

import base64
import contextlib
import json
import os
import secrets
from pathlib import Path

RELAXED = {
    "BEHIND_TLS": "0",
    "ALLOWED_HOSTS": "127.0.0.1,localhost",
    "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
}
"""What a run on one's own machine does without; elsewhere each of these is on."""

BASE_DIR = Path(__file__).resolve().parents[1]


def data_dir() -> Path:
    return BASE_DIR / os.environ.get("DATA_DIR", ".data")


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a local process: ours, completed by what is kept in ``folder`` and by what relaxes."""
    return RELAXED | kept(folder) | os.environ | {"DATA_DIR": str(folder)}


def kept(folder: Path) -> dict[str, str]:
    """Return the secrets kept in a folder, made at the first call."""
    made = {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "ENCRYPTION_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "SIMULATED_CARRIER_SECRET": secrets.token_urlsafe(24),
    }
    path = folder / "local.json"
    known: dict[str, str] = {}
    with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
        known = json.loads(path.read_text())
    if made.keys() - known.keys():
        keep(folder, made | known)
    return made | known


def keep(folder: Path, values: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "local.json"
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(values, indent=1))
    draft.replace(path)
