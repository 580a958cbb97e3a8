"""A bound on real time: what takes longer is broken, and says where it was."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class OutOfTime(BaseException):
    """No error of Ringback's, so that nothing of it takes it for one and goes on."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise ``OutOfTime`` where the main thread is, when the time is over."""

    def give_up(_: int, __: FrameType | None) -> None:
        message = f"not done within {seconds:,.0f} s"
        raise OutOfTime(message)

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
