"""``python -m tests.chaos.worker``: a dial worker that dies by plan, and is there again at once."""

import django

django.setup()

from tests.chaos.lives import live  # noqa: E402 — Django is set up first
from tests.chaos.plan import Point  # noqa: E402

STATEMENTS = {
    "/* take_to_dialing */": Point.BEFORE_CLAIM_IS_TAKEN,
    "/* record_accepted */": Point.BEFORE_RECORD,
}


if __name__ == "__main__":
    live("dial", STATEMENTS)
