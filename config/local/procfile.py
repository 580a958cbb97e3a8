"""Reads a Procfile: per line a name, a colon, optional settings, and a command that runs without a shell.

Without a shell no process stands between the supervisor and the command, so signals reach the command.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(r"(?P<name>[a-z][a-z0-9-]*):\s*(?P<rest>\S.*)")
_SETTING = re.compile(r"[A-Z][A-Z0-9_]*=")
_VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)\}")


class ProcfileUnreadable(Exception):
    """A line is neither empty, a comment, nor ``name: command``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    name: str
    settings: Mapping[str, str]
    command: tuple[str, ...]


def read(path: Path, environment: Mapping[str, str]) -> list[Line]:
    """Return the lines in their order, ``$NAME`` replaced by the environment's values."""
    lines = []
    for text in path.read_text().splitlines():
        if not text.strip() or text.startswith("#"):
            continue
        match = _LINE.fullmatch(text.strip())
        if match is None:
            message = f"{path}: not `name: command`: {text}"
            raise ProcfileUnreadable(message)
        words = shlex.split(_VARIABLE.sub(lambda name: environment.get(name[1] or name[2], ""), match["rest"]))
        count = next((n for n, word in enumerate(words) if not _SETTING.match(word)), len(words))
        settings = dict(word.split("=", 1) for word in words[:count])
        lines.append(Line(name=match["name"], settings=settings, command=tuple(words[count:])))
    return lines
