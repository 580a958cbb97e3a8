"""``python -m bench.peers.driver MODULE ACTION``: hands calls to one peer's queue, in the peers' environment.

It prints ``ready`` when the rows are there, waits for a line, hands the calls over in chunks until ``--within`` seconds
have passed, and prints what that took as JSON.
"""

import argparse
import importlib
import json
import sys
import time
from datetime import UTC, datetime, timedelta

from bench.peers import body

_CHUNK = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module")
    parser.add_argument("action", choices=["prepare", "now", "at"])
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--lead", type=float, default=0.0, help="seconds until the first is due")
    parser.add_argument("--step", type=float, default=0.0, help="seconds between two")
    parser.add_argument("--within", type=float, default=600.0, help="seconds after which no more are handed over")
    options = parser.parse_args()
    peer = importlib.import_module(options.module)
    if options.action == "prepare":
        body.make_tables()
        peer.prepare()
        return
    first = datetime.now(UTC) + timedelta(seconds=options.lead)
    calls = body.make_calls(options.count, first=first, step=timedelta(seconds=options.step))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    began, used = time.monotonic(), time.process_time()
    handed = 0
    while handed < len(calls) and time.monotonic() - began < options.within:
        (peer.call_now if options.action == "now" else peer.call_at)(calls[handed : handed + _CHUNK])
        handed += _CHUNK
    done = {
        "handed": min(handed, len(calls)),
        "seconds": time.monotonic() - began,
        "cpu": time.process_time() - used,
        "first_id": calls[0][0],
    }
    sys.stdout.write(json.dumps(done) + "\n")


if __name__ == "__main__":
    main()
