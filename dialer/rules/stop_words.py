"""Words by which people ask, in a text message, not to be contacted any more.

The words that carriers and regulators require (CTIA's messaging principles; 47 CFR 64.1200(a)(10)), and the same
in some other languages. Only a message that says nothing else counts: "please stop by on Monday" is not a stop.
"""

import re
from typing import Final

STOP_WORDS: Final = frozenset(
    {
        "arret",
        "arrêt",
        "baja",
        "cancel",
        "end",
        "opt out",
        "optout",
        "quit",
        "revoke",
        "stop",
        "stop all",
        "stopall",
        "stopp",
        "unsubscribe",
    }
)
_NEITHER_LETTER_NOR_DIGIT: Final = re.compile(r"[\W_]+")


def asks_to_stop(body: str) -> bool:
    """Tell whether the sender of a message wants neither calls nor messages."""
    return _NEITHER_LETTER_NOR_DIGIT.sub(" ", body).strip().casefold() in STOP_WORDS
