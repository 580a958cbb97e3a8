"""Faults where the product meets others: connections held while they are asked."""

from tests.mutants.mutant import Mutant

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
        file="dialer/dialing/placing.py",
        name="the database connection is kept while the carrier is asked to hang up",
        old="    connection.close()\n    carriers.of(call.line).hang_up(asked)",
        new="    carriers.of(call.line).hang_up(asked)",
        tests=f"{_GIVEN_BACK}::test_while_the_api_has_a_call_hung_up",
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
