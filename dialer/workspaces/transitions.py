"""What a guarded verb says when the row is not in the state that the verb leaves."""


class TransitionConflict(Exception):
    """The row is in ``from_`` and cannot go to ``to``; nothing was changed."""

    def __init__(self, *, what: str, from_: str, to: str) -> None:
        super().__init__(f"{what} is {from_} and cannot become {to}")
        self.from_ = from_
        self.to = to
