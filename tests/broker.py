"""The real broker as a test sees it: which messages wait, for whom, and from when on."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from config.celery import QUEUES, app


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A nudge as a worker would take it; without ``not_before`` it is taken at once."""

    task: str
    args: list[Any]
    not_before: datetime | None


class Broker:
    def take(self, queue: str) -> list[Message]:
        """Take all messages of a queue, in their order; a worker takes them no more."""
        taken = []
        with app.connection_for_write() as connection, connection.channel() as channel:
            waiting = app.amqp.queues[queue](channel)
            while (message := waiting.get(no_ack=True, accept=["json"])) is not None:
                args, _, _ = message.payload
                eta = message.headers["eta"]
                not_before = datetime.fromisoformat(eta) if eta else None
                taken.append(Message(task=message.headers["task"], args=args, not_before=not_before))
        return taken

    def empty(self) -> None:
        for queue in QUEUES:
            self.take(queue)


@pytest.fixture
def broker() -> Iterator[Broker]:
    """Give the broker with nothing in it, and leave nothing in it."""
    broker = Broker()
    broker.empty()
    yield broker
    broker.empty()
