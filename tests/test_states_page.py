"""The page of states shows the moves that the writers keep."""

from tests.states_page import PAGE, drawn


def test_the_page_of_states_is_drawn_from_the_moves() -> None:
    assert PAGE.read_text() == drawn(), "python -m tests.states_page draws it anew"
