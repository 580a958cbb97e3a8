"""How long a committed event takes to its receiver's first byte while ten of sixty receivers never answer.

Every event goes to one of the fifty prompt receivers; for twenty of them there is one more that goes to a receiver
that takes the connection and the request and says nothing. Workers run as the Procfile starts them, two of them.
"""

from collections.abc import Iterator

from bench import deliveries
from bench.figures import Figure, Size
from bench.latencies import add_latencies, within
from bench.receivers import Receivers
from bench.rounds import Rounds

PROMPT, SILENT = 50, 10
RATE = 200
P99 = 100
_ARM = f"{SILENT} of {PROMPT + SILENT} never answer"


def measure(size: Size) -> Iterator[Figure]:
    rounds = Rounds("hanging_receivers")
    seconds = size.of(short=10, full=60)
    with Receivers(PROMPT, silent=SILENT) as receivers, rounds.arm(_ARM), deliveries.senders(), deliveries.beat():
        workspaces = [deliveries.a_workspace([port]) for port in receivers.ports]
        deliveries.stream(receivers, workspaces, RATE, 2)  # the first delivery of an endpoint waits for its lane
        for _ in range(size.rounds):
            silent = [deliveries.a_workspace([port]) for port in receivers.silent_ports]
            stream = deliveries.stream(receivers, workspaces, RATE, seconds, silent=silent)
            add_latencies(rounds, _ARM, "first byte of the others", stream.first_bytes)
    rounds.note(_ARM, f"{RATE} events a second; the silent ones are new in each round, so no circuit is open at first")
    yield from rounds.figures(within(_ARM, "first byte of the others", p99=P99))
