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
    """The sockets of the connections of one thread."""

    def __init__(self) -> None:
        self._sockets: dict[Connection, int] = {}
        self._connections: dict[int, Connection] = {}
        self._poll = select.poll()

    def note(self, connection: Connection, fd: int) -> None:
        """Note the socket of a connection; ``-1`` if libcurl did not keep it."""
        before = self._connections.get(fd)
        if fd < 0 or before == connection:
            return
        if before is not None:
            self._sockets.pop(before, None)
        self._connections[fd], self._sockets[connection] = connection, fd

    def is_closed(self, connection: Connection) -> bool:
        """Tell whether a connection ended, or has bytes to read although no request waits for an answer."""
        fd = self._sockets.get(connection)
        if fd is None:
            return False
        self._poll.register(fd, select.POLLIN)
        found = self._poll.poll(0)
        self._poll.unregister(fd)
        return bool(found)
