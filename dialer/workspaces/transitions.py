"""The error of a verb that the state of a row does not allow."""


class TransitionConflict(Exception):
    """The row is in ``from_`` and cannot go to ``to``; nothing was changed."""

    def __init__(self, *, what: str, from_: str, to: str) -> None:
        super().__init__(f"{what} is {from_} and cannot become {to}")
        self.from_ = from_
        self.to = to
