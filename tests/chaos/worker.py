"""``python -m tests.chaos.worker``: a dial worker that dies by plan, and is there again at once."""

import tests.chaos.app  # noqa: F401 — this life too suffers what its environment says
from tests.chaos.lives import live
from tests.chaos.plan import Point

STATEMENTS = {
    "/* take_to_dialing */": Point.BEFORE_CLAIM_IS_TAKEN,
    "/* record_accepted */": Point.BEFORE_RECORD,
}


if __name__ == "__main__":
    live("dial", STATEMENTS)
