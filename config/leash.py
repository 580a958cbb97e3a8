"""Processes that cannot outlive the one who started them.

Every process is started through this file run as a script (a *keeper*), which holds the reading end of a pipe whose
writing end only the starter has. However the starter ends, ``kill -9`` included, the kernel closes the pipe, and the
keeper stops its command and what the command started. The keeper imports nothing but the standard library and runs
with ``-I -S``, so that it costs some 30 ms and a few megabytes.
"""

import argparse
import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    uid: int
    gid: int


class Leash:
    """Holds the pipe; one per starter."""

    def __init__(self) -> None:
        self._reading_end, self._writing_end = os.pipe()

    def start(
        self,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        user: User | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        grace_seconds: float = 5,
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
        keeper: list[str] = [sys.executable, "-I", "-S", __file__, str(self._reading_end)]
        keeper += [f"--stop-signal={stop_signal.name}", f"--grace-seconds={grace_seconds}"]
        if user is not None:
            keeper += [f"--uid={user.uid}", f"--gid={user.gid}"]
        if remove is not None:
            keeper += [f"--remove={remove}"]
        return subprocess.Popen(  # noqa: S603 — our own commands
            [*keeper, "--", *map(str, command)],
            env=environment,
            stdin=subprocess.DEVNULL if own_group else None,
            stdout=output,
            stderr=subprocess.STDOUT if output is not None else None,
            pass_fds=[self._reading_end],
            process_group=0 if own_group else None,
        )


def has_ended(keeper: subprocess.Popen[bytes]) -> bool:
    """Say whether a keeper started in its own group has ended, and then kill what its command left behind.

    The keeper is not reaped before that, so that its process id, which is the group's, cannot be somebody else's.
    """
    if keeper.returncode is not None:
        return True
    if os.waitid(os.P_PID, keeper.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        return False
    kill_group(keeper)
    keeper.wait()
    return True


def kill_group(keeper: subprocess.Popen[bytes]) -> None:
    """Kill a keeper, its command, and what the command started; no effect on one that has been reaped."""
    if keeper.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a zombie
            os.killpg(keeper.pid, signal.SIGKILL)


class _Keeper:
    """Runs the command until it ends, or until the starter is gone."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._stop_signal = signal.Signals[arguments.stop_signal]
        self._asked_to_stop = False
        self._woken, waker = os.pipe()
        for end in (self._woken, waker):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        # Handlers, not SIG_IGN: what is ignored would stay ignored in the command.
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD):
            signal.signal(number, self._on_signal)

    def run(self) -> int:
        try:
            command = subprocess.Popen(  # noqa: S603 — our own commands
                self._arguments.command,
                user=self._arguments.uid,
                group=self._arguments.gid,
                extra_groups=None if self._arguments.uid is None else [],
            )
        except OSError as error:
            sys.stderr.write(f"cannot start {self._arguments.command[0]}: {error}\n")
            return 127
        while command.poll() is None:
            if self._is_orphaned():
                self._end(command)
                self._clean_up()
            elif self._asked_to_stop:
                self._asked_to_stop = False
                command.send_signal(self._stop_signal)
        return command.returncode if command.returncode >= 0 else 128 - command.returncode

    def _on_signal(self, number: int, _frame: object) -> None:
        if number == signal.SIGTERM:
            self._asked_to_stop = True

    def _is_orphaned(self) -> bool:
        """Wait for a signal or the pipe's end, and say whether it was the end: nobody holds the other side."""
        if self._asked_to_stop:
            return False
        readable, _, _ = select.select([self._arguments.starter, self._woken], [], [])
        if self._woken in readable:
            os.read(self._woken, 4096)
        return self._arguments.starter in readable

    def _end(self, command: subprocess.Popen[bytes]) -> None:
        command.send_signal(self._stop_signal)
        try:
            command.wait(self._arguments.grace_seconds)
        except subprocess.TimeoutExpired:
            command.kill()
            command.wait()

    def _clean_up(self) -> None:
        if self._arguments.remove is not None:
            shutil.rmtree(self._arguments.remove, ignore_errors=True)
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)  # what the command left behind, and this process


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("starter", type=int, help="file descriptor of the pipe's reading end")
    parser.add_argument("--stop-signal", default="SIGTERM")
    parser.add_argument("--grace-seconds", type=float, default=5)
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    parser.add_argument("--remove", type=Path)
    parser.add_argument("command", nargs="+")
    sys.exit(_Keeper(parser.parse_args()).run())
