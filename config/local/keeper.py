"""Processes that cannot outlive the process that starts them.

Every command runs under a *keeper*: this file, run as a script. The keeper holds the reading end of a pipe whose only
writing end is in the starter. However the starter ends, ``kill -9`` included, the kernel closes the pipe, and the
keeper stops its command and the command's children. A keeper imports only the standard library and runs with
``-I -S``, so it costs some 30 ms and a few megabytes.
"""

import contextlib
import json
import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO

_READING_END, _WRITING_END = os.pipe()  # the writing end closes when this process ends: no child inherits it


def start_kept(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    user: str | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
    grace_seconds: float = 15,
    remove: Path | None = None,
    own_group: bool = True,
    output: int | IO[bytes] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a command under a keeper and return the keeper, whose exit status is the command's.

    A signal TERM to the keeper reaches the command as ``stop_signal``. When the starter is gone, the command gets
    ``stop_signal``, ``grace_seconds`` later its whole group gets KILL, and the folder ``remove`` is deleted.
    Without ``own_group`` the command stays in the starter's group, where it may read the terminal and Ctrl-C
    reaches it.
    """
    options: dict[str, object] = {"starter": _READING_END, "user": user, "remove": remove and str(remove)}
    options |= {"stop_signal": stop_signal, "grace_seconds": grace_seconds}
    return subprocess.Popen(  # noqa: S603 — our own commands
        [sys.executable, "-I", "-S", __file__, json.dumps(options), *map(str, command)],
        env=environment,
        stdin=subprocess.DEVNULL if own_group else None,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        pass_fds=[_READING_END],
        process_group=0 if own_group else None,
    )


def has_ended(keeper: subprocess.Popen[bytes]) -> bool:
    """Return whether a keeper with its own group has ended; if so, kill the processes that its command left behind.

    The keeper is reaped only afterwards, so that its process id, which is also the group's, cannot be reused.
    """
    if keeper.returncode is None and os.waitid(os.P_PID, keeper.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
        kill_group(keeper)
    return keeper.returncode is not None


def kill_group(keeper: subprocess.Popen[bytes]) -> None:
    """Kill a keeper, its command and the command's children; does nothing if the keeper was reaped."""
    if keeper.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS raises PermissionError for a zombie
            os.killpg(keeper.pid, signal.SIGKILL)
        keeper.wait()


def stop_all(
    keepers: Iterable[subprocess.Popen[bytes]], *, seconds: float, at_once: Callable[[], bool] = lambda: False
) -> list[subprocess.Popen[bytes]]:
    """Stop all keepers; kill those still running after the grace period or once ``at_once``, and return these."""
    running = [keeper for keeper in keepers if not has_ended(keeper)]
    for keeper in running:
        keeper.terminate()
    deadline = time.monotonic() + seconds
    while running and time.monotonic() < deadline and not at_once():
        time.sleep(0.02)
        running = [keeper for keeper in running if not has_ended(keeper)]
    for keeper in running:
        kill_group(keeper)
    return running


def _keep(
    words: list[str], *, starter: int, user: str | None, stop_signal: int, grace_seconds: float, remove: str | None
) -> int:
    """Run a command until it ends, or until the starter is gone; return its exit status."""
    signals = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # a signal that arrives now waits until the command has started
    try:
        command = subprocess.Popen(  # noqa: S603 — our own commands
            words,
            user=user,
            group=pwd.getpwnam(user).pw_gid if user else None,
            extra_groups=[] if user else None,
            cwd="/" if user else None,  # the user may not have access to our working directory
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, signals),  # noqa: PLW1509 — no thread yet
        )
    except OSError as error:
        sys.stderr.write(f"cannot start {words[0]}: {error}\n")
        return 127

    def stop_when_starter_is_gone() -> None:
        select.select([starter], [], [])  # readable once the other end is closed
        command.send_signal(stop_signal)
        time.sleep(grace_seconds)
        command.kill()

    def pass_on(number: int, _frame: object) -> None:
        if number == signal.SIGTERM:
            command.send_signal(stop_signal)

    threading.Thread(target=stop_when_starter_is_gone, daemon=True).start()
    for number in signals:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)  # only in this thread, so that it wakes up for them
    status = command.wait()
    if select.select([starter], [], [], 0)[0]:
        if remove is not None:
            shutil.rmtree(remove, ignore_errors=True)
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)  # kills what the command left behind, and this process
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(_keep(sys.argv[2:], **json.loads(sys.argv[1])))
