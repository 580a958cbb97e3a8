"""Words by which people say, in a text message, that they want to hear no more.

Those that carriers and regulators ask to be honoured (CTIA's messaging principles; 47 CFR 64.1200(a)(10)), and the same
in some other languages. Only a message that says nothing else counts: "please stop by on Monday" is no such wish.
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
    """Say whether a message means that its sender wants to be neither called nor written to."""
    return _NEITHER_LETTER_NOR_DIGIT.sub(" ", body).strip().casefold() in STOP_WORDS
