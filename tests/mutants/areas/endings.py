"""Faults in how calls go on and end: reports, look-ups, outcomes, chains, and what a talk leaves behind."""

from tests.mutants.mutant import Mutant

_ENDINGS = "dialer/dialing/completion.py"
_REPORTS = "dialer/dialing/carrier_reports.py"
_UNKNOWN = "dialer/dialing/reconciliation.py"
_PIPELINE = "tests/dialer/dialing/test_pipeline.py"
_ENDING_TESTS = "tests/dialer/dialing/test_completion.py"
_REPORT_TESTS = "tests/dialer/dialing/test_applying_reports.py"
_UNKNOWN_TESTS = "tests/dialer/dialing/test_reconciliation.py"
_TALK_TESTS = "tests/dialer/dialing/test_conversation.py"

MUTANTS = [
    Mutant(
        file=_ENDINGS,
        name="a call that has ended ends again",
        old="if call.id in first and call.status not in _FINAL]",
        new="if call.id in first]",
        tests=f"{_ENDING_TESTS}::test_the_first_end_of_a_call_stands",
    ),
    Mutant(
        file=_ENDINGS,
        name="an attempt is told of a call that came in",
        old="            if each.call.dialing_at is not None and not each.call.is_inbound\n        ]",
        new="            if each.call.dialing_at is not None\n        ]",
        tests="tests/dialer/dialing/test_inbound.py::test_a_call_that_comes_in_is_a_row_of_its_own_chain_and_tells_its_events",
    ),
    Mutant(
        file=_ENDINGS,
        name="the attempt is not told where the decision fails",
        old="            record_events(attempted, now=now)\n            run(",
        new="            run(",
        tests=f"{_ENDING_TESTS}::test_where_the_decision_fails_the_outcome_stands_and_the_rest_is_told_later",
    ),
    Mutant(
        file=_ENDINGS,
        name="a decision that failed is never made",
        old='                "UPDATE dialer_call SET follow_up_pending = true WHERE id = ANY(%(ids)s)",\n',
        new='                "UPDATE dialer_call SET follow_up_pending = false WHERE id = ANY(%(ids)s)",\n',
        tests=f"{_ENDING_TESTS}::test_where_the_decision_fails_the_outcome_stands_and_the_rest_is_told_later",
    ),
    Mutant(
        file=_ENDINGS,
        name="a decision that was made late is made again",
        old='"UPDATE dialer_call SET follow_up_pending = false, check_at = NULL WHERE id = %(id)s",',
        new='"UPDATE dialer_call SET check_at = NULL WHERE id = %(id)s",',
        tests=f"{_ENDING_TESTS}::test_where_the_decision_fails_the_outcome_stands_and_the_rest_is_told_later",
    ),
    Mutant(
        file=_ENDINGS,
        name="a decision that failed again keeps the others waiting",
        old="WHERE follow_up_pending AND (check_at IS NULL OR check_at <= %(now)s)",
        new="WHERE follow_up_pending",
        tests=f"{_ENDING_TESTS}::test_calls_that_cannot_be_decided_do_not_keep_others_waiting",
    ),
    Mutant(
        file=_ENDINGS,
        name="only the contact's own number is suppressed and not the one that was dialled",
        old='sorted({call.number, call.phone} - {""})',
        new='sorted({call.phone} - {""})',
        tests=f"{_ENDING_TESTS}"
        "::test_who_asks_not_to_be_called_is_suppressed_on_the_number_dialled_and_on_the_contacts_own",
    ),
    Mutant(
        file=_ENDINGS,
        name="a wish not to be called is lost where the talk ends answered",
        old='        outcome, reason = Outcome.DNC_REQUEST, "dnc_request"\n',
        new="        pass\n",
        tests=f"{_TALK_TESTS}::test_a_wish_not_to_be_called_suppresses_at_once_and_ends_the_live_call_with_it",
    ),
    Mutant(
        file=_ENDINGS,
        name="a call that was answered counts as cancelled",
        old="is not None and call.answered_at is None and outcome not in _STANDS_AFTER_CANCEL:",
        new="is not None and outcome is not Outcome.UNKNOWN:",
        tests=f"{_ENDING_TESTS}::test_a_call_that_connected_before_it_was_stopped_keeps_its_outcome",
    ),
    Mutant(
        file=_ENDINGS,
        name="retries are scheduled from a carrier's clock that is ahead",
        old="at=min(max(end.at, call.dialing_at or end.at), now),",
        new="at=max(end.at, call.dialing_at or end.at),",
        tests=f"{_ENDING_TESTS}::test_an_end_in_the_future_is_a_carrier_whose_clock_is_ahead",
    ),
    Mutant(
        file=_ENDINGS,
        name="retries are scheduled from a carrier's clock that is behind",
        old="at=min(max(end.at, call.dialing_at or end.at), now),",
        new="at=min(end.at, now),",
        tests=f"{_ENDING_TESTS}::test_an_end_before_the_call_was_handed_over_is_a_carrier_whose_clock_is_behind",
    ),
    Mutant(
        file=_ENDINGS,
        name="a chain ends that waits for a promise",
        old="        if follow_up.pending is None and not call.is_inbound:\n",
        new="        if not call.is_inbound:\n",
        tests=f"{_PIPELINE}::test_a_waiting_contact_is_called_and_called_back_when_nobody_answers",
    ),
    Mutant(
        file=_ENDINGS,
        name="who was reached before counts as exhausted",
        old='"reached" if end.outcome is Outcome.ANSWERED or chain.was_reached else "exhausted"',
        new='"reached" if end.outcome is Outcome.ANSWERED else "exhausted"',
        tests=f"{_ENDING_TESTS}"
        "::test_a_contact_who_was_reached_stays_reached_when_the_promise_that_followed_was_in_vain",
    ),
    Mutant(
        file="dialer/calls/campaign_contacts.py",
        name="a contact that is at its end is opened again by a call that ends late",
        old='                "from": list(OPEN_STATES),\n',
        new='                "from": list(ContactState),\n',
        tests=f"{_ENDING_TESTS}::test_a_contact_that_is_at_its_end_stays_there_when_its_call_ends",
    ),
    Mutant(
        file="dialer/calls/campaign_contacts.py",
        name="a contact's last result counts and not its best",
        old="< array_position(%(best)s::text[], t.result) THEN k.result ELSE t.result END,",
        new="< 0 THEN k.result ELSE t.result END,",
        tests=f"{_ENDING_TESTS}"
        "::test_a_contact_who_was_reached_stays_reached_when_the_promise_that_followed_was_in_vain",
    ),
    Mutant(
        file="dialer/calls/listener.py",
        name="a talk whose carrier does not count it lasted no time",
        old="        if self.end.duration_seconds is not None or self.call.answered_at is None:\n",
        new="        if True:\n",
        tests="tests/dialer/dialing/test_inbound.py"
        "::test_a_talk_lasts_from_its_answer_to_its_end_where_the_carrier_does_not_count",
    ),
    Mutant(
        file=_REPORTS,
        name="a report moves a call back",
        old="        if ORDER[status] > ORDER[step.status]:\n            step.status = status\n",
        new="        step.status = status\n",
        tests=f"{_REPORT_TESTS}::test_a_report_that_comes_late_moves_no_call_back",
    ),
    Mutant(
        file=_REPORTS,
        name="a report wakes a call that was withdrawn",
        old="        elif call.status in (CallStatus.ENDED, CallStatus.WITHDRAWN):\n",
        new="        elif call.status == CallStatus.ENDED:\n",
        tests=f"{_REPORT_TESTS}::test_a_report_of_a_call_that_was_withdrawn_is_kept_as_evidence_only",
    ),
    Mutant(
        file=_REPORTS,
        name="a machine that answers is told as a talk",
        old="if at is None or step.is_machine or call",
        new="if at is None or call",
        tests=f"{_REPORT_TESTS}::test_a_machine_that_answers_starts_no_talk",
    ),
    Mutant(
        file=_REPORTS,
        name="a first call that connects is told as a callback",
        old="is_callback = not call.is_inbound and call.rank != Rank.NEW",
        new="is_callback = call.direction == Direction.OUTBOUND",
        tests=f"{_REPORT_TESTS}::test_a_first_call_that_connects_is_no_callback",
    ),
    Mutant(
        file=_REPORTS,
        name="a person's answer is moved to when the machine was seen",
        old="step.answered_at = step.answered_at or row.occurred_at",
        new="step.answered_at = row.occurred_at",
        tests=f"{_REPORT_TESTS}::test_a_call_was_answered_when_the_first_report_says_so",
    ),
    Mutant(
        file="dialer/calls/call_states.py",
        name="a call that was put back and rings all the same has no time of handing over",
        old="                dialing_at = COALESCE(c.dialing_at, %(now)s), lease_until = NULL,\n",
        new="                dialing_at = c.dialing_at, lease_until = NULL,\n",
        tests=f"{_REPORT_TESTS}::test_a_report_of_a_call_that_was_put_back_proves_that_the_carrier_has_it",
    ),
    Mutant(
        file="dialer/calls/call_states.py",
        name="a call that is heard of is looked up no more",
        old="check_at = CASE WHEN c.direction = 'inbound' THEN c.check_at ELSE %(check_at)s END",
        new="check_at = CASE WHEN c.direction = 'inbound' THEN c.check_at END",
        tests=f"{_REPORT_TESTS}::test_a_call_that_falls_silent_after_a_report_is_looked_up_a_minute_later",
    ),
    Mutant(
        file="dialer/calls/call_states.py",
        name="a call that came in is asked for at its carrier",
        old="check_at = CASE WHEN c.direction = 'inbound' THEN c.check_at ELSE %(check_at)s END",
        new="check_at = %(check_at)s",
        tests="tests/dialer/dialing/test_inbound.py"
        "::test_a_call_whose_end_is_never_reported_does_not_keep_the_contact_busy_for_ever",
    ),
    Mutant(
        file=_REPORTS,
        name="one report that cannot be applied keeps its batch from being applied",
        old='        log.exception("carrier_events.batch_failed first=%s count=%s", rows[0].id, len(rows))\n',
        new="        raise\n",
        tests=f"{_PIPELINE}::test_one_bad_report_does_not_keep_the_others_from_being_applied",
    ),
    Mutant(
        file=_REPORTS,
        name="whoever asks a carrier's agent not to be called is not suppressed",
        old="for call_id, reports in by_call.items() if _asked_not_to_be_called(reports)], now=now)",
        new="for call_id, reports in by_call.items() if not reports], now=now)",
        tests=f"{_ENDING_TESTS}"
        "::test_who_asks_not_to_be_called_is_suppressed_on_the_number_dialled_and_on_the_contacts_own",
    ),
    Mutant(
        file=_REPORTS,
        name="reports that were applied are applied again",
        old="        UPDATE dialer_carrierevent e SET applied_at = %(now)s, note = t.note\n",
        new="        UPDATE dialer_carrierevent e SET note = t.note\n",
        tests=f"{_REPORT_TESTS}::test_a_report_is_applied_once",
    ),
    Mutant(
        file=_REPORTS,
        name="two workers apply the same reports",
        old="WHERE e.applied_at IS NULL ORDER BY e.id LIMIT %(limit)s FOR UPDATE OF e SKIP LOCKED",
        new="WHERE e.applied_at IS NULL ORDER BY e.id LIMIT %(limit)s",
        tests=f"{_REPORT_TESTS}::test_reports_that_a_worker_is_at_are_left_to_it",
    ),
    Mutant(
        file=_REPORTS,
        name="a carrier that does not say who hung up is taken to name the contact",
        old='details.get("ended_reason") or ("unknown" if outcome is Outcome.ANSWERED else outcome.value)',
        new='report.ended_reason or ("contact_hangup" if outcome is Outcome.ANSWERED else outcome.value)',
        tests=f"{_ENDING_TESTS}::test_where_a_carrier_does_not_say_who_hung_up_nobody_is_named",
    ),
    Mutant(
        file=_UNKNOWN,
        name="a call that its carrier calls live stays live for ever",
        old="            if answer.is_live and not is_over:\n",
        new="            if answer.is_live:\n",
        tests=f"{_UNKNOWN_TESTS}::test_a_call_that_lasts_longer_than_any_may_ends_unknown_whatever_its_carrier_says",
    ),
    Mutant(
        file=_UNKNOWN,
        name="a live call is looked up again and again",
        old="                _check_again(call_id, at=now + LIVE_RECHECK)\n",
        new="                pass\n",
        tests=f"{_UNKNOWN_TESTS}::test_a_call_that_goes_on_is_looked_up_once_a_minute",
    ),
    Mutant(
        file=_UNKNOWN,
        name="an end that waits to be applied is overtaken",
        old="elif not is_news and not carrier_reports.has_unapplied(call_id):",
        new="elif not is_news:",
        tests=f"{_UNKNOWN_TESTS}::test_an_end_that_waits_to_be_applied_is_not_overtaken",
    ),
    Mutant(
        file=_UNKNOWN,
        name="a call ends unknown as soon as its carrier does not know it",
        old="            if is_lost:\n",
        new="            if now > looked_up.call.at:\n",
        tests=f"{_UNKNOWN_TESTS}::test_a_call_that_its_carrier_does_not_know_yet_is_asked_for_again",
    ),
    Mutant(
        file=_UNKNOWN,
        name="a call that its carrier took ends unknown when the carrier cannot be asked for a while",
        old="if is_over or (is_lost and not looked_up.is_known_to_carrier):",
        new="if is_over or is_lost:",
        tests=f"{_UNKNOWN_TESTS}"
        "::test_a_call_that_its_carrier_took_outlives_an_outage_and_one_of_which_nobody_knows_does_not",
    ),
    Mutant(
        file=_UNKNOWN,
        name="two workers look up the same calls",
        old="            UPDATE dialer_call c SET check_at = %(next)s\n",
        new="            UPDATE dialer_call c SET check_at = c.check_at\n",
        tests=f"{_UNKNOWN_TESTS}::test_a_call_is_looked_up_again_five_seconds_later_and_not_before",
    ),
    Mutant(
        file=_UNKNOWN,
        name="a carrier that hangs keeps every thread from placing calls",
        old="    if not _checking.acquire(blocking=False):\n        return 0\n    try:\n"
        "        return _check(limit=limit, now=now)\n    finally:\n        _checking.release()\n",
        new="    return _check(limit=limit, now=now)\n",
        tests=f"{_UNKNOWN_TESTS}::test_a_look_that_lasts_keeps_only_one_thread",
    ),
    Mutant(
        file=_UNKNOWN,
        name="one call that cannot be settled holds up the others",
        old="            _settle(each, CannotSay(reason=type(error).__name__), now=now)\n",
        new="            raise error\n",
        tests=f"{_UNKNOWN_TESTS}::test_a_look_up_that_cannot_be_stored_does_not_keep_others_from_being_settled",
    ),
    Mutant(
        file=_UNKNOWN,
        name="a call that a person dealt with is dealt with again",
        old="outcome=Outcome.UNKNOWN.value, handled_at=None).update(handled_at=now)",
        new="outcome=Outcome.UNKNOWN.value).update(handled_at=now)",
        tests="tests/callbacks/test_corrections.py",
    ),
]
