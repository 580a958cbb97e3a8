"""``python -m tests.fuzz``: the web process of the Procfile, asked by Schemathesis until enough requests were made."""

import argparse
import secrets
import sys
import time
from collections import Counter

from tests.config.processes import folder_of_ours
from tests.fuzz.asking import ask
from tests.real_run.processes import Installation

LEAST = 20_000
"""Requests of a run."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=LEAST, help=f"the least to make (default: {LEAST:,})")
    parser.add_argument("--examples", type=int, default=80, help="cases per operation in a round")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32), help="repeats a run")
    arguments = parser.parse_args()
    requests: Counter[str] = Counter()
    began, seed, is_in_order = time.monotonic(), arguments.seed, True
    with folder_of_ours() as folder:
        foreign = folder / "foreign.json"
        with Installation(
            folder,
            only=["web"],
            opening="tests.fuzz.opening",
            API_RATE_PER_MINUTE=str(10**9),
            FUZZ_FOREIGN=str(foreign),
        ) as web:
            while is_in_order and requests.total() < arguments.requests:
                options = (f"--max-examples={arguments.examples}", "--workers=2")
                asked = ask(web.url, *options, key=web.key, foreign=foreign, folder=folder, seed=seed)
                sys.stdout.write(asked.told)
                requests += asked.requests
                is_in_order, seed = asked.is_in_order, seed + 1
            broken = [line for line in web.log("web", lines=1_000_000) if "api.failed" in line]
    answers = ", ".join(f"{count:,} x {status}" for status, count in sorted(requests.items()))
    sys.stdout.write(
        f"{requests.total():,} requests in {time.monotonic() - began:.0f} s ({answers}); "
        f"{len(broken)} failures of the server; first seed {arguments.seed}\n"
    )
    return int(not is_in_order or bool(broken))


if __name__ == "__main__":
    sys.exit(main())
