"""Faults in what other systems are told of calls, and who is."""

from tests.mutants.mutant import Mutant

_EVENTS = "dialer/calls/events.py"
_FORMATS = "dialer/calls/formats.py"
_AUDIENCE = "dialer/calls/occasions.py"
_EVENT_TESTS = "tests/dialer/calls/test_events.py"

MUTANTS = [
    Mutant(
        file=_EVENTS,
        name="an attempt can be told twice",
        old='        unique_key=f"call.attempted:{call.id}",\n',
        new="",
        tests=f"{_EVENT_TESTS}::test_each_event_of_a_call_has_a_key_under_which_it_is_told_once",
    ),
    Mutant(
        file=_EVENTS,
        name="the end of a chain is told once per call",
        old='        unique_key=f"call.exhausted:{call.chain_id}",\n',
        new='        unique_key=f"call.exhausted:{call.id}",\n',
        tests=f"{_EVENT_TESTS}::test_each_event_of_a_call_has_a_key_under_which_it_is_told_once",
    ),
    Mutant(
        file=_EVENTS,
        name="the end of a call does not name the callback that follows it",
        old="    if follow_up.pending is not None:\n        top_level",
        new="    if follow_up.pending is None and follow_up.pending:\n        top_level",
        tests=f"{_EVENT_TESTS}::test_the_end_of_a_call_says_which_attempt_it_was_of_how_many",
    ),
    Mutant(
        file=_EVENTS,
        name="a callback counts one attempt too few",
        old='                "max_attempts": call.attempt_number + follow_up.attempts_left,\n',
        new='                "max_attempts": follow_up.attempts_left,\n',
        tests=f"{_EVENT_TESTS}::test_the_end_of_a_call_says_which_attempt_it_was_of_how_many",
    ),
    Mutant(
        file=_EVENTS,
        name="what was given with a call gives way to what was given with its campaign",
        old="    return parsed(call) or parsed(campaign) or {}\n",
        new="    return parsed(campaign) or parsed(call) or {}\n",
        tests=f"{_EVENT_TESTS}::test_what_was_given_with_a_call_comes_before_what_was_given_with_its_campaign",
    ),
    Mutant(
        file=_EVENTS,
        name="endpoints of a campaign hear nothing of its calls",
        old="        chain_id=call.chain_id,\n        campaign_id=call.campaign_id,\n",
        new="        chain_id=call.chain_id,\n        campaign_id=None,\n",
        tests=f"{_EVENT_TESTS}::test_each_event_of_a_call_has_a_key_under_which_it_is_told_once",
    ),
    Mutant(
        file=_FORMATS,
        name="the result of a talk does not wait for what it meant",
        old="    is_awaited = decided.outcome in TALKS and decided.analysis is None\n",
        new="    is_awaited = False\n",
        tests="tests/dialer/dialing/test_results.py::test_what_an_earlier_talk_meant_is_not_the_result_of_the_chain",
    ),
    Mutant(
        file=_FORMATS,
        name="status URLs hear of times on the workspace's clock",
        old="    return call.campaign_zone or call.workspace_zone\n",
        new="    return call.workspace_zone\n",
        tests=f"{_EVENT_TESTS}::test_status_urls_hear_of_times_on_the_campaigns_clock",
    ),
    Mutant(
        file=_FORMATS,
        name="a number that was never dialled is told as done",
        old="    if call.campaign_id is None or decided is None:\n        return None\n",
        new="    if call.campaign_id is None:\n        return None\n    assert decided is not None\n",
        tests=f"{_EVENT_TESTS}::test_of_a_number_that_was_never_dialled_neither_status_urls_nor_arrays_hear",
    ),
    Mutant(
        file=_AUDIENCE,
        name="an alert is for the webhooks that were given with a call",
        old="if about is not None and event_type not in _ALERTS else None",
        new="if about is not None else None",
        tests="tests/api/test_audience.py::test_webhooks_of_a_call_stand_beside_what_they_replace",
    ),
    Mutant(
        file=_AUDIENCE,
        name="a call that comes in has no result",
        old="        batch_type = BatchType.CALL_COMPLETE\n",
        new="        pass\n",
        tests="tests/api/test_audience.py::test_an_inbound_call_has_its_result_when_it_ends",
    ),
    Mutant(
        file=_AUDIENCE,
        name="a suppression is an event of the campaign that is asked about",
        old="        campaign_id=campaign_id if has_scope else None,\n",
        new="        campaign_id=campaign_id,\n",
        tests="tests/api/test_audience.py::test_an_endpoint_of_a_campaign_hears_of_its_calls_and_not_of_others",
    ),
]
