"""Runs a function in a process of its own, which starts as a worker does, and observes its memory."""

import importlib
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import psutil

_SPAWN = multiprocessing.get_context("spawn")
_LOOK_SECONDS = 0.02
_MEGABYTE = 2**20


class Failed(Exception):
    """The function raised; the message says what."""


@dataclass(frozen=True)
class Ran:
    """What a function took and returned, without the start of its process."""

    seconds: float
    cpu_seconds: float
    peak_megabytes: float
    result: Any


def run(function: str, *arguments: object) -> Ran:
    """Call ``module:function`` after Django's set-up; raises :class:`Failed`."""
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_run, args=(theirs, function, arguments), daemon=True)
    process.start()
    theirs.close()
    watched, peak = psutil.Process(process.pid), 0
    while not ours.poll(_LOOK_SECONDS):
        peak = max(peak, watched.memory_info().rss)
    error, seconds, cpu_seconds, result = ours.recv()
    process.join()
    if error:
        raise Failed(error)
    return Ran(seconds, cpu_seconds, peak / _MEGABYTE, result)


def _run(connection: Connection, function: str, arguments: Sequence[object]) -> None:
    import django  # noqa: PLC0415 — only the new process needs it set up

    try:
        django.setup()
        module, _, name = function.partition(":")
        work = getattr(importlib.import_module(module), name)
        began, cpu_began = time.monotonic(), time.process_time()
        result = work(*arguments)
        connection.send(("", time.monotonic() - began, time.process_time() - cpu_began, result))
    except Exception as error:  # noqa: BLE001 — the process that waits raises it
        connection.send((f"{type(error).__name__}: {error}", 0.0, 0.0, None))
