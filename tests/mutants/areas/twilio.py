"""Faults of Twilio's adapter."""

from tests.mutants.mutant import Mutant

_TESTS = "tests/dialer/carriers/test_twilio.py"

MUTANTS = [
    Mutant(
        file="dialer/carriers/twilio.py",
        name="a line without a token takes what is signed with none",
        old="if not self._token or not any(hmac",
        new="if not any(hmac",
        tests=f"{_TESTS}::test_without_a_token_nothing_is_authentic",
    ),
    Mutant(
        file="dialer/carriers/twilio.py",
        name="a proxy's 404 means that there is no call",
        old=' and content.get("code") == _NO_SUCH_RESOURCE',
        new="",
        tests=f"{_TESTS}::test_a_proxys_404_does_not_mean_that_there_is_no_call",
    ),
    Mutant(
        file="dialer/carriers/twilio.py",
        name="of two calls that could be ours the newest is taken",
        old="            case [only]:",
        new="            case [only, *_]:",
        tests=f"{_TESTS}::test_two_calls_that_could_be_ours_are_neithers_fate",
    ),
    Mutant(
        file="dialer/carriers/twilio.py",
        name="an earlier call to the number is taken for ours",
        old=" if words.is_since(each, call.at - SLACK)",
        new="",
        tests=f"{_TESTS}::test_an_earlier_call_to_the_number_is_not_taken_for_ours",
    ),
    Mutant(
        file="dialer/carriers/twilio_words.py",
        name="an endpoint can say more than where to connect",
        old="<Sip>{escape(endpoint)}</Sip>",
        new="<Sip>{endpoint}</Sip>",
        tests=f"{_TESTS}::test_a_call_is_connected_to_its_persona",
    ),
]
