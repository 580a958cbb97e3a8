"""Faults where the product meets others: connections held while they are asked."""

from tests.mutants.mutant import Mutant

_HANGING_UP = "tests/dialer/dialing/test_hanging_up.py"
_GIVEN_BACK = "tests/connections/test_given_back.py"

MUTANTS = [
    Mutant(
        file="dialer/dialing/placing.py",
        name="the database connection is kept while the carrier is asked to place calls",
        old="    connection.close()\n    answers = _ask(",
        new="    answers = _ask(",
        tests=f"{_GIVEN_BACK}::test_while_calls_are_placed",
    ),
    Mutant(
        file="dialer/dialing/hanging_up.py",
        name="the database connection is kept while the carrier is asked to hang up",
        old="    connection.close()\n",
        new="",
        tests=f"{_GIVEN_BACK}::test_while_a_call_is_hung_up",
    ),
    Mutant(
        file="dialer/dialing/hanging_up.py",
        name="a carrier is asked to hang up for as long as the call lasts",
        old=" AND c.cancel_requested_at > %(asked_since)s",
        new="",
        tests=f"{_HANGING_UP}::test_a_carrier_that_does_not_hang_up_is_asked_a_few_times",
    ),
    Mutant(
        file="dialer/dialing/hanging_up.py",
        name="a carrier is asked to hang up on a call that has ended",
        old="if call.is_live]",
        new="]",
        tests=f"{_HANGING_UP}::test_a_call_that_has_ended_is_not_hung_up",
    ),
    Mutant(
        file="dialer/tasks/dialling.py",
        name="a call is not hung up where the message was lost",
        old="    hang_up()\n    checked",
        new="    checked",
        tests="tests/dialer/test_tasks.py::test_a_cancelled_call_whose_message_was_lost_is_hung_up_by_the_next_check",
    ),
    Mutant(
        file="dialer/dialing/reconciliation.py",
        name="the database connection is kept while calls are looked up",
        old="    connection.close()\n    answers = list(",
        new="    answers = list(",
        tests=f"{_GIVEN_BACK}::test_while_a_call_is_looked_up",
    ),
    Mutant(
        file="dialer/messages/messages.py",
        name="the database connection is kept while a message is sent",
        old="        connection.close()\n        _settle(",
        new="        _settle(",
        tests=f"{_GIVEN_BACK}::test_while_messages_are_sent",
    ),
    Mutant(
        file="webhooks/destinations.py",
        name="the database connection is kept while name servers are asked",
        old="            connection.close()\n",
        new="            pass\n",
        tests=f"{_GIVEN_BACK}::test_while_the_api_asks_where_a_url_leads",
    ),
]
