"""Faults in calls that come in, in what a talk leaves behind, and in what a chain amounts to."""

from tests.mutants.mutant import Mutant

_INBOUND = "dialer/dialing/inbound.py"
_TALKS = "dialer/dialing/conversation.py"
_CHAINS = "dialer/calls/chains.py"
_INBOUND_TESTS = "tests/dialer/dialing/test_inbound.py"
_TALK_TESTS = "tests/dialer/dialing/test_conversation.py"

MUTANTS = [
    Mutant(
        file=_INBOUND,
        name="reports of a call that came in outlive its contact",
        old="    _bind({event_id: answer for event_id, answer in answers.items() if isinstance(answer, UUID)})\n",
        new="",
        tests="tests/dialer/dialing/test_storing_reports.py"
        "::test_a_report_of_a_call_that_came_in_becomes_a_call_and_is_forgotten_with_its_contact",
    ),
    Mutant(
        file=_INBOUND,
        name="a call that came in is looked for anew with every report",
        old="                found[key] = _known(ring) or _receive(ring, now=now)\n",
        new="                found[key] = _receive(ring, now=now)\n",
        tests=f"{_INBOUND_TESTS}::test_a_call_that_came_in_ends_although_its_line_was_archived_meanwhile",
    ),
    Mutant(
        file=_INBOUND,
        name="a forgotten contact calls",
        old="            contact__deleted_at__isnull=True,\n",
        new="",
        tests=f"{_INBOUND_TESTS}::test_a_forgotten_contact_is_not_the_one_who_calls",
    ),
    Mutant(
        file=_INBOUND,
        name="a call that comes in belongs to whatever is queued and not to what was promised",
        old="status=CallStatus.QUEUED.value, rank__lt=_FIRST_CALL)",
        new="status=CallStatus.QUEUED.value)",
        tests=f"{_INBOUND_TESTS}::test_a_first_call_that_is_queued_is_no_callback_that_the_caller_may_mean",
    ),
    Mutant(
        file=_INBOUND,
        name="a promise comes before a retry where both wait",
        old='.order_by("-rank", "due_at")',
        new='.order_by("rank", "due_at")',
        tests=f"{_INBOUND_TESTS}::test_a_call_belongs_to_the_campaign_of_the_retry_before_that_of_a_promise",
    ),
    Mutant(
        file=_INBOUND,
        name="a call that comes in counts as an attempt",
        old="                attempt_number=0,\n",
        new="                attempt_number=1,\n",
        tests=f"{_INBOUND_TESTS}::test_a_call_that_comes_in_is_a_row_of_its_own_chain_and_tells_its_events",
    ),
    Mutant(
        file=_INBOUND,
        name="a call that came in and never ends keeps its contact busy for ever",
        old="                check_at=ring.at + timedelta(",
        new="                check_at=None and ring.at + timedelta(",
        tests=f"{_INBOUND_TESTS}::test_a_call_whose_end_is_never_reported_does_not_keep_the_contact_busy_for_ever",
    ),
    Mutant(
        file=_INBOUND,
        name="an archived line is called",
        old="Line.objects.filter(carrier=carrier, archived_at=None, workspace__closed_at=None)",
        new="Line.objects.filter(carrier=carrier, workspace__closed_at=None)",
        tests=f"{_INBOUND_TESTS}::test_a_line_that_is_archived_and_one_of_a_closed_workspace_take_no_calls",
    ),
    Mutant(
        file=_INBOUND,
        name="a closed workspace is called",
        old="Line.objects.filter(carrier=carrier, archived_at=None, workspace__closed_at=None)",
        new="Line.objects.filter(carrier=carrier, archived_at=None)",
        tests=f"{_INBOUND_TESTS}::test_the_only_line_of_a_closed_workspace_takes_no_calls_to_a_number_that_nobody_has",
    ),
    Mutant(
        file=_INBOUND,
        name="of several lines with a number the oldest is called and not the one that called last",
        old="return next((line for line in several if last and line.pk == last.line_id), several[0])",
        new="return several[0]",
        tests=f"{_INBOUND_TESTS}::test_of_lines_that_share_a_number_the_one_that_called_last_is_rung",
    ),
    Mutant(
        file=_INBOUND,
        name="a call to a number that nobody has is taken by any line",
        old="    if Workspace.objects.all()[:2].count() == 1:\n",
        new="    if Workspace.objects.exists():\n",
        tests="tests/security/test_caller_ids.py::test_a_number_that_nobody_has_is_nobodys_where_there_are_several_workspaces",
    ),
    Mutant(
        file=_INBOUND,
        name="the campaign of the last call comes before that of the callback that waits",
        old="    if expected is not None:\n        return expected.campaign\n",
        new="    if expected is not None and last is None:\n        return expected.campaign\n",
        tests=f"{_INBOUND_TESTS}::test_a_call_belongs_to_the_campaign_of_the_retry_before_that_of_a_promise",
    ),
    Mutant(
        file=_TALKS,
        name="a wish after the end is taken for one that ends the call",
        old="filter(pk=call_id, status__in=LIVE, dnc_requested_at=None)",
        new="filter(pk=call_id, dnc_requested_at=None)",
        tests=f"{_TALK_TESTS}::test_a_wish_after_the_end_suppresses_and_leaves_the_outcome",
    ),
    Mutant(
        file=_TALKS,
        name="the number that was dialled is not suppressed where the contact has another by now",
        old='sorted({call.contact.phone, call.number} - {""})',
        new='sorted({call.contact.phone} - {""})',
        tests=f"{_TALK_TESTS}::test_a_wish_suppresses_the_number_dialled_and_the_contacts_own",
    ),
    Mutant(
        file=_TALKS,
        name="an analysis is replaced unasked",
        old="        if replaced and not replace:\n            raise AlreadyAnalyzed\n",
        new="",
        tests=f"{_TALK_TESTS}::test_a_second_analysis_must_say_that_it_replaces_the_first",
    ),
    Mutant(
        file=_TALKS,
        name="a call that goes on is analyzed",
        old="        if call.status != CallStatus.ENDED or call.outcome not in _TALKED:\n",
        new="        if call.status == CallStatus.ENDED and call.outcome not in _TALKED:\n",
        tests=f"{_TALK_TESTS}::test_an_analysis_needs_a_talk_that_is_over",
    ),
    Mutant(
        file=_TALKS,
        name="a recording is kept of a call that was never handed over",
        old="    if call.dialing_at is None:\n        raise TransitionConflict",
        new="    if call.dialing_at is None and not to:\n        raise TransitionConflict",
        tests=f"{_TALK_TESTS}::test_a_call_that_was_never_handed_over_has_nobody_who_could_wish",
    ),
    Mutant(
        file=_CHAINS,
        name="the last attempt decides about a chain although somebody was talked to before",
        old="        return (talks or self.attempts or (None,))[-1]\n",
        new="        return (self.attempts or (None,))[-1]\n",
        tests="tests/dialer/dialing/test_results.py::test_the_last_talk_decides_about_a_chain_else_the_last_attempt",
    ),
    Mutant(
        file=_CHAINS,
        name="a contact counts as reached by the last attempt only",
        old="return any(attempt.outcome is Outcome.ANSWERED for attempt in self.attempts)",
        new="return any(attempt.outcome is Outcome.ANSWERED for attempt in self.attempts[-1:])",
        tests="tests/dialer/dialing/test_completion.py"
        "::test_a_contact_who_was_reached_stays_reached_when_the_promise_that_followed_was_in_vain",
    ),
    Mutant(
        file=_CHAINS,
        name="a call that was never handed over counts as an attempt",
        old="WHERE chain_id = ANY(%(chains)s) AND dialing_at IS NOT NULL AND status = 'ended'",
        new="WHERE chain_id = ANY(%(chains)s) AND coalesce(dialing_at, ended_at) IS NOT NULL AND status = 'ended'",
        tests="tests/dialer/calls/test_calls.py::test_a_retry_that_was_cancelled_before_dialling_is_no_attempt_of_its_chain",
    ),
    Mutant(
        file="dialer/dialing/conversation.py",
        name="what an earlier talk meant is told as the result of the chain",
        old="    if decided is None or decided.id != call.id:\n",
        new="    if decided is None:\n",
        tests="tests/dialer/dialing/test_results.py::test_what_an_earlier_talk_meant_is_not_the_result_of_the_chain",
    ),
    Mutant(
        file="dialer/dialing/conversation.py",
        name="the result of a call that came in waits although its talk was analyzed",
        old='told_by = f"call.ended:{call.id}" if call.is_inbound else',
        new='told_by = f"call.ended:{call.id}" if False else',
        tests="tests/dialer/dialing/test_results.py::test_what_a_call_that_came_in_meant_lets_its_result_go",
    ),
]
