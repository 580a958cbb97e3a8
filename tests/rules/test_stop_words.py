"""When a text message says that its sender wants to hear no more."""

import pytest

from dialer.rules.stop_words import asks_to_stop


@pytest.mark.parametrize("body", ["STOP", " stop. ", "Stop!!", "stop-all", "Opt  out", "arrêt", "ARRÊT", "Unsubscribe"])
def test_a_message_that_says_nothing_else_is_such_a_wish(body: str) -> None:
    assert asks_to_stop(body)


@pytest.mark.parametrize("body", ["please stop by on Monday", "stop by on Monday", "the end", "weekend", "", "yes"])
def test_a_message_that_says_more_is_none(body: str) -> None:
    assert not asks_to_stop(body)
