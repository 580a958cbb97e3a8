"""Processes that cannot outlive the one that starts them.

Every command runs under this file run as a script (its *keeper*), which holds the reading end of a pipe whose writing
end only the starter has. However the starter ends, ``kill -9`` included, the kernel closes the pipe, and the keeper
stops its command and what the command started. A keeper imports nothing but the standard library and runs with
``-I -S``, so that it costs some 30 ms and a few megabytes.
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

_READING_END, _WRITING_END = os.pipe()  # the latter closes when this process has ended: no other inherits it


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
    """Say whether a keeper started in its own group has ended, and then kill what its command left behind.

    The keeper is not reaped before that, so that its process id, which is the group's, cannot be somebody else's.
    """
    if keeper.returncode is None and os.waitid(os.P_PID, keeper.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
        kill_group(keeper)
    return keeper.returncode is not None


def kill_group(keeper: subprocess.Popen[bytes]) -> None:
    """Kill a keeper, its command, and what the command started; no effect on one that has been reaped."""
    if keeper.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a zombie
            os.killpg(keeper.pid, signal.SIGKILL)
        keeper.wait()


def stop_all(
    keepers: Iterable[subprocess.Popen[bytes]], *, seconds: float, at_once: Callable[[], bool] = lambda: False
) -> list[subprocess.Popen[bytes]]:
    """Ask all to end; kill those that have not after a while, or as soon as ``at_once``, and return them."""
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
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # one that comes now waits until there is a command
    try:
        command = subprocess.Popen(  # noqa: S603 — our own commands
            words,
            user=user,
            group=pwd.getpwnam(user).pw_gid if user else None,
            extra_groups=[] if user else None,
            cwd="/" if user else None,  # the user may not enter where we are
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, signals),  # noqa: PLW1509 — no thread yet
        )
    except OSError as error:
        sys.stderr.write(f"cannot start {words[0]}: {error}\n")
        return 127

    def stop_when_starter_is_gone() -> None:
        select.select([starter], [], [])  # readable as soon as nobody holds the other end
        command.send_signal(stop_signal)
        time.sleep(grace_seconds)
        command.kill()

    def pass_on(number: int, _frame: object) -> None:
        if number == signal.SIGTERM:
            command.send_signal(stop_signal)

    threading.Thread(target=stop_when_starter_is_gone, daemon=True).start()
    for number in signals:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)  # in this thread alone, which is to wake up for them
    status = command.wait()
    if select.select([starter], [], [], 0)[0]:
        if remove is not None:
            shutil.rmtree(remove, ignore_errors=True)
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)  # what the command left behind, and this process
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(_keep(sys.argv[2:], **json.loads(sys.argv[1])))
