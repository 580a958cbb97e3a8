"""Runs Schemathesis against an address, and counts what it asked."""

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import requests

from config.env import BASE_DIR

_PATIENCE_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one run did; ``requests`` counts them by the status of the answer."""

    is_in_order: bool
    requests: Counter[str]
    told: str


def ask(url: str, *options: str, key: str, foreign: Path, folder: Path, seed: int) -> Asked:
    """Ask every operation at random, with all checks; ``folder`` takes what Schemathesis keeps."""
    counts, schema = folder / f"counts-{seed}.json", folder / "schema.json"
    # Schemathesis waits ten seconds for it, and a busy machine takes longer to make it.
    schema.write_bytes(requests.get(f"{url}/api/schema/", timeout=_PATIENCE_SECONDS).content)
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "--no-color",
        f"--config-file={Path(__file__).with_name('schemathesis.toml')}",
        "run",
        str(schema),
        f"--url={url}",
        f"--header=Authorization: Bearer {key}",
        "--checks=all",
        "--continue-on-failure",
        "--warnings=off",
        "--exclude-path=/api/v1/api-keys/{id}/revoke/",  # or it revokes the key that it asks with
        f"--seed={seed}",
        *options,
    ]
    settings = {
        "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks",
        "FUZZ_COUNTS": str(counts),
        "FUZZ_FOREIGN": str(foreign),
        "PYTHONPATH": str(BASE_DIR),
    }
    done = subprocess.run(  # noqa: S603 — our own command
        command, cwd=folder, env={**os.environ, **settings}, text=True, stdout=subprocess.PIPE, check=False
    )
    made = json.loads(counts.read_text()) if counts.exists() else {}
    return Asked(is_in_order=done.returncode == 0, requests=Counter(made), told=done.stdout)
