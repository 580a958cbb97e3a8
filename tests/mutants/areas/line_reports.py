"""Faults where the account of one line could speak for another."""

from tests.mutants.mutant import Mutant

_LINES = "tests/security/test_line_reports.py"

MUTANTS = [
    Mutant(
        file="dialer/dialing/carrier_reports.py",
        name="an account's report counts for every line of its carrier",
        old=" or self.line_id not in (None, self.line_of_call)",
        new="",
        tests=f"{_LINES}::test_an_account_ends_no_call_over_another_line_of_its_carrier",
    ),
    Mutant(
        file="dialer/api/carrier_reports.py",
        name="a carrier with accounts is also heard without a line",
        old=" or carriers.has_account_per_line(carrier) != bool(line)",
        new="",
        tests=f"{_LINES}::test_an_address_that_is_no_lines_of_the_carrier_is_not_found",
    ),
    Mutant(
        file="dialer/dialing/inbound.py",
        name="a number decides whose a call is, where an account reported it",
        old="    if line_id is not None:\n        mine:",
        new="    if line_id is not None and not called:\n        mine:",
        tests=f"{_LINES}::test_a_call_and_a_text_that_come_in_are_those_of_the_account",
    ),
    Mutant(
        file="dialer/messages/reports.py",
        name="an account settles messages over every line of its carrier",
        old='if line_id is None else {"line_id": line_id}),',
        new="if carrier else {}),",
        tests=f"{_LINES}::test_an_account_settles_no_message_of_another_line",
    ),
]
