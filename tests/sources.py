"""The product's own source files, for tests that read them."""

from collections.abc import Iterator
from pathlib import Path

from config.env import BASE_DIR


def modules() -> Iterator[tuple[str, str]]:
    """Yield the path and the text of every module of the product but its migrations."""
    for app in ("dialer", "callbacks", "webhooks", "config"):
        for path in sorted(Path(BASE_DIR, app).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path.relative_to(BASE_DIR).as_posix(), path.read_text()
