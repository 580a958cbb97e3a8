"""The open connections that libcurl keeps, to look whether the receiver has closed one before a request is sent on it.

libcurl itself looks once a second only. It sends on a closed connection, and then the same request on a new one.
"""

import select
from typing import NamedTuple


class Connection(NamedTuple):
    """The ends of a connection, as libcurl tells them to a callback."""

    peer: str
    local: str
    peer_port: int
    local_port: int


class KeptConnections:
    """The connections of one thread, each with a poll of its socket."""

    def __init__(self) -> None:
        self._polls: dict[Connection, select.poll] = {}
        self._connections: dict[int, Connection] = {}

    def note(self, connection: Connection, fd: int) -> None:
        """Note the socket of a connection; ``-1`` if libcurl did not keep it."""
        before = self._connections.get(fd)
        if fd < 0 or before == connection:
            return
        if before is not None:
            self._polls.pop(before, None)
        self._connections[fd] = connection
        self._polls[connection] = select.poll()
        self._polls[connection].register(fd, select.POLLIN)

    def is_closed(self, connection: Connection) -> bool:
        """Tell whether a connection ended, or has bytes to read although no request waits for an answer."""
        poll = self._polls.get(connection)
        return poll is not None and bool(poll.poll(0))
