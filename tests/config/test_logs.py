import logging

from config.logs import OneLine


def line(message: str, *arguments: object, error: BaseException | None = None) -> str:
    trace = (type(error), error, error.__traceback__) if error is not None else None
    record = logging.LogRecord("dialer.dialing.placing", logging.INFO, "", 0, message, arguments, trace)
    record.created = 0
    return OneLine("dial").format(record)


def test_an_event_and_its_pairs_are_taken_as_they_are() -> None:
    assert line("call.placed call=%s answer=accepted", "call_1") == (
        "at=1970-01-01T00:00:00.000Z level=info process=dial logger=dialer.dialing.placing"
        " event=call.placed call=call_1 answer=accepted"
    )


def test_other_peoples_text_is_quoted() -> None:
    assert line('Connected to "x"').endswith(r' message="Connected to \"x\""')


def test_a_traceback_stays_in_the_line() -> None:
    text = line("call.failed call=1", error=ValueError("first line\nsecond line"))

    assert "\n" not in text
    assert 'traceback="ValueError: first line\\nsecond line"' in text


def test_a_line_break_cannot_begin_a_line_of_its_own() -> None:
    assert "\n" not in line("call.failed reason=%s", "x\nlevel=info event=forged")
