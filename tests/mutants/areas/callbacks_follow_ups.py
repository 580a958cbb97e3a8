"""Faults in what follows a call, and in what time, callers, pauses and clocks do to callbacks."""

from tests.mutants.mutant import Mutant

_CALLBACKS = "tests/decisions/test_callbacks.py"
_DEADLINES = "tests/callbacks/test_deadlines.py"
_INBOUND = "tests/dialer/dialing/test_inbound.py"
_LOCAL_TIMES = "tests/callbacks/test_local_times.py"
_RESUMING = "tests/callbacks/test_resuming.py"
_REQUESTS = "tests/callbacks/test_requests.py"

MUTANTS = [
    Mutant(
        file="callbacks/follow_ups.py",
        name="a promise made during a call follows no outcome",
        old="        _keep_outcomes(ended, pending)\n",
        new="",
        tests="tests/callbacks/test_requests.py::test_a_promise_made_during_a_call_has_the_outcome_of_that_call",
    ),
    Mutant(
        file="dialer/calls/events.py",
        name="a contact who calls back has two results that contradict each other",
        old="batch=None if reason == Withdrawal.INBOUND_CALL else formats",
        new="batch=formats",
        tests="tests/dialer/dialing/test_inbound.py"
        "::test_a_contact_who_rings_back_after_a_busy_has_one_result_and_was_reached",
    ),
    Mutant(
        file="callbacks/callback_states.py",
        name="a call that was put back takes the place of a newer promise",
        old=" AND b.status = 'dialing' AND NOT EXISTS (\n"
        "            SELECT FROM callbacks_callback o\n"
        "            WHERE o.contact_id = b.contact_id AND o.campaign_id IS NOT DISTINCT FROM b.campaign_id\n"
        "                AND o.status = 'pending')",
        new=" AND b.status = 'dialing'",
        tests="tests/dialer/dialing/test_putting_back.py"
        "::test_outside_campaigns_a_promise_made_meanwhile_takes_the_place_of_a_retry",
    ),
    Mutant(
        file="callbacks/follow_ups.py",
        name="a skipped callback is told as cancelled",
        old="    Withdrawal.SKIPPED: CallbackStatus.SKIPPED,\n",
        new="",
        tests="tests/callbacks/test_actions.py::test_skip_uses_the_retry_up_and_schedules_the_next",
    ),
    Mutant(
        file="callbacks/follow_ups.py",
        name="nobody is told what became of a callback that was withdrawn",
        old="        record_events(events.of_callbacks(ids, status.value, reason=reason, at=now), now=now)\n",
        new="",
        tests="tests/decisions/test_campaigns.py"
        "::test_cancel_cancels_every_pending_callback_with_one_event_each_and_waiting_contacts",
    ),
    Mutant(
        file="callbacks/follow_ups.py",
        name="a callback does not say that the contact's own call completed it",
        old='completed_by = INBOUND_CALL if why is Withdrawal.INBOUND_CALL else ""',
        new='completed_by = ""',
        tests=f"{_INBOUND}::test_an_answered_call_from_the_contact_completes_its_retry_and_ends_the_chain_as_reached",
    ),
    Mutant(
        file="callbacks/follow_ups.py",
        name="an answer leaves the pending retry",
        old="        cancel_needless_retries([each.call for each in ours if each.end.outcome in _ENDS_RETRIES], "
        "now=now)\n",
        new="",
        tests="tests/reference/test_callback_queue.py::test_an_answer_cancels_the_pending_callbacks_of_the_contact",
    ),
    Mutant(
        file="callbacks/follow_ups.py",
        name="an answer cancels promises too",
        old="        WHERE b.status = 'pending' AND b.type = 'auto_retry'\n",
        new="        WHERE b.status = 'pending'\n",
        tests=f"{_CALLBACKS}"
        "::test_answered_and_asked_for_a_callback_is_answered_and_the_chain_goes_on_until_after_the_promise",
    ),
    Mutant(
        file="callbacks/follow_ups.py",
        name="an answer in one campaign cancels the retries of all",
        old="ON b.contact_id = t.contact_id AND b.campaign_id IS NOT DISTINCT FROM t.campaign_id",
        new="ON b.contact_id = t.contact_id",
        tests="tests/decisions/test_contacts_and_numbers.py"
        "::test_an_answer_in_one_campaign_leaves_the_callbacks_of_the_other",
    ),
    Mutant(
        file="callbacks/follow_ups.py",
        name="chains outside campaigns whose retries an answer cancelled never end",
        old="calls.withdraw(elsewhere, why=Withdrawal.ANSWERED, now=now)",
        new="calls.withdraw(elsewhere, why=Withdrawal.ANSWERED, now=now, ends_chain=False)",
        tests="tests/dialer/dialing/test_completion.py::test_an_answer_outside_campaigns_ends_the_chains_whose_retries_it_cancels",
    ),
    Mutant(
        file="callbacks/follow_ups.py",
        name="a contact who asked not to be called is retried",
        old='    if call.is_suppressed:\n        return "suppressed"\n',
        new="",
        tests="tests/callbacks/test_follow_ups.py::test_a_number_that_is_suppressed_during_its_call_is_not_retried",
    ),
    Mutant(
        file="callbacks/follow_ups.py",
        name="a chain that an operator ended while its call was live goes on",
        old='    if call.settled_at is not None:\n        return "settled"\n',
        new="",
        tests="tests/callbacks/test_actions.py"
        "::test_a_chain_that_was_ended_while_its_call_was_live_is_followed_by_no_retry",
    ),
    Mutant(
        file="callbacks/follow_ups.py",
        name="calls of a cancelled campaign are followed by retries",
        old='    if call.campaign_status in ("cancelled", "completed", "failed"):',
        new='    if call.campaign_status in ("completed", "failed"):',
        tests="tests/decisions/test_campaigns.py"
        "::test_after_cancel_live_calls_finish_and_are_followed_by_no_retry_and_then_the_campaign_ends_once",
    ),
    Mutant(
        file="callbacks/follow_ups.py",
        name="a retry is made beside a promise",
        old='return "already_pending" if has_pending else ""',
        new='return ""',
        tests=f"{_CALLBACKS}"
        "::test_answered_and_asked_for_a_callback_is_answered_and_the_chain_goes_on_until_after_the_promise "
        "tests/decisions/test_without_a_campaign.py"
        "::test_where_the_contact_has_a_pending_callback_the_retry_of_another_chain_is_not_made",
    ),
    Mutant(
        file="callbacks/follow_ups.py",
        name="a retry is never stale",
        old="            not_after=possible.at + timedelta(hours=call.stale_after_hours),",
        new="            not_after=None,",
        tests=f"{_DEADLINES}::test_a_retry_is_dialled_until_the_stale_hours_are_over_and_waits_for_a_person_after",
    ),
    Mutant(
        file="callbacks/follow_ups.py",
        name="a retry goes before promises that are due",
        old="            rank=Rank.RETRY,",
        new="            rank=Rank.PROMISED,",
        tests="tests/callbacks/test_requests.py::test_a_retry_waits_behind_what_was_promised",
    ),
    Mutant(
        file="callbacks/follow_ups.py",
        name="a retry forgets the settings that its call brought",
        old="            schedule=parsed(call.call_schedule) or {},",
        new="            schedule={},",
        tests="tests/callbacks/test_chains_outside_campaigns.py"
        "::test_a_promise_in_place_of_a_retry_goes_on_with_its_chain",
    ),
    Mutant(
        file="callbacks/follow_ups.py",
        name="a retry forgets the webhooks that its call brought",
        old="            config_webhooks=parsed(call.config_webhooks),",
        new="            config_webhooks=None,",
        tests="tests/decisions/test_formats.py::TestInline::test_what_was_given_with_a_chain_never_changes",
    ),
    Mutant(
        file="callbacks/follow_ups.py",
        name="a retry is made that exceeds a limit",
        old="ledger=ledger.get((call.workspace_id, call.phone), ())",
        new="ledger=()",
        tests="tests/callbacks/test_follow_ups.py::test_a_retry_is_promised_for_when_the_limits_permit_it_and_says_so",
    ),
    Mutant(
        file="callbacks/follow_ups.py",
        name="another chain's promise keeps this one alive",
        old="    if row is None or row.chain_id != call.chain_id:",
        new="    if row is None:",
        tests="tests/decisions/test_without_a_campaign.py"
        "::test_where_the_contact_has_a_pending_callback_the_retry_of_another_chain_is_not_made",
    ),
    Mutant(
        file="callbacks/callers.py",
        name="a call that we did not answer completes callbacks",
        old="        if each.end.outcome is Outcome.ANSWERED:",
        new="        if True:",
        tests=f"{_INBOUND}::test_a_call_that_we_did_not_answer_completes_nothing_and_is_followed_by_nothing",
    ),
    Mutant(
        file="callbacks/callers.py",
        name="a second on the phone keeps a promise",
        old=" AND %(talked)s >= %(a_talk)s))",
        new="))",
        tests=f"{_INBOUND}::test_a_requested_callback_is_completed_by_a_talk_of_ten_seconds",
    ),
    Mutant(
        file="callbacks/callers.py",
        name="what a contact asks for while calling is completed by that call",
        old=" AND created_at <= %(began)s AND",
        new=" AND",
        tests=f"{_INBOUND}::test_a_callback_asked_for_in_the_call_itself_stays",
    ),
    Mutant(
        file="dialer/calls/chains.py",
        name="a retry that was skipped is given once more after a promise",
        old=" OR held_reason = 'skipped'), 0) AS retries",
        new="), 0) AS retries",
        tests=f"{_REQUESTS}::test_retries_that_were_skipped_stay_used_up_after_a_promise",
    ),
    Mutant(
        file="callbacks/scheduling.py",
        name="a promise after a campaign goes on with its chain",
        old="origin.chain_id if origin and origin.campaign_id is None else None",
        new="origin.chain_id if origin else None",
        tests="tests/callbacks/test_corrections.py::TestCallBack"
        "::test_after_the_end_of_the_campaign_it_is_a_call_outside_campaigns_with_a_chain_of_its_own",
    ),
    Mutant(
        file="callbacks/deadlines.py",
        name="a promise counts as late after five minutes",
        old="LATE_AFTER = timedelta(minutes=15)",
        new="LATE_AFTER = timedelta(minutes=5)",
        tests=f"{_DEADLINES}::test_a_promise_fifteen_minutes_late_is_told_once_and_never_dropped",
    ),
    Mutant(
        file="callbacks/deadlines.py",
        name="a retry is given up after three days",
        old="EXPIRES_AFTER = timedelta(days=7)",
        new="EXPIRES_AFTER = timedelta(days=4)",
        tests=f"{_DEADLINES}::test_a_stale_retry_expires_when_it_is_seven_days_late_and_its_chain_ends_exhausted",
    ),
    Mutant(
        file="callbacks/deadlines.py",
        name="a late promise is told at every sweep",
        old=" AND late_event_at IS NULL AND",
        new=" AND",
        tests=f"{_DEADLINES}::test_a_promise_fifteen_minutes_late_is_told_once_and_never_dropped",
    ),
    Mutant(
        file="callbacks/deadlines.py",
        name="a late retry raises an alert",
        old=" AND type <> 'auto_retry' AND late",
        new=" AND late",
        tests=f"{_DEADLINES}::test_a_late_retry_raises_no_alert",
    ),
    Mutant(
        file="callbacks/deadlines.py",
        name="the sweep takes a retry from the operator who moves it",
        old="why=Withdrawal.EXPIRED, now=now, only_stale=True)",
        new="why=Withdrawal.EXPIRED, now=now)",
        tests="tests/concurrency/test_deadlines.py"
        "::test_a_retry_that_an_operator_calls_while_it_is_to_expire_is_called",
    ),
    Mutant(
        file="callbacks/deadlines.py",
        name="an alert does not say what holds the promise",
        old='waiting[callback_id].code if callback_id in waiting else ""',
        new='""',
        tests=f"{_DEADLINES}::test_a_late_promise_says_what_holds_it",
    ),
    Mutant(
        file="callbacks/events.py",
        name="an alert goes to the webhooks of the call too",
        old='None if change == "late" else parsed(row.config_webhooks)',
        new="parsed(row.config_webhooks)",
        tests=f"{_DEADLINES}::test_an_alert_is_for_whoever_runs_the_queue_and_not_for_the_webhooks_of_the_call",
    ),
    Mutant(
        file="callbacks/events.py",
        name="endpoints of a campaign hear of none of its callbacks",
        old="        campaign_id=row.campaign_id,\n        persona_id",
        new="        persona_id",
        tests="tests/callbacks/test_actions.py::test_an_endpoint_of_the_campaign_hears_of_its_callbacks",
    ),
    Mutant(
        file="callbacks/local_times.py",
        name="a promise in the past is called at a time that nobody said",
        old="        due_at=max(at, now),",
        new="        due_at=at,",
        tests=f"{_LOCAL_TIMES}::test_derived_into_the_past_it_is_due_now_and_shown_late",
    ),
    Mutant(
        file="callbacks/local_times.py",
        name="a time that somebody named moves with the contact's clock",
        old="        if callback.local_time:\n",
        new="        if True:\n",
        tests=f"{_LOCAL_TIMES}::test_an_instant_that_was_named_and_a_retry_stay_when_they_are",
    ),
    Mutant(
        file="dialer/calls/call_states.py",
        name="a message that is under way dials at the old time",
        old="                held_reason = '', lease_until = NULL, generation = c.generation + 1\n",
        new="                held_reason = '', lease_until = NULL\n",
        tests=f"{_LOCAL_TIMES}::test_a_new_zone_moves_the_promise_to_the_time_that_was_said",
    ),
    Mutant(
        file="callbacks/local_times.py",
        name="nobody is told that a promise moved with the contact's clock",
        old='    record_events(events.of_callbacks(ids, "rescheduled", reason=_REASON, at=now), now=now)\n',
        new="",
        tests=f"{_LOCAL_TIMES}::test_a_new_zone_moves_the_promise_to_the_time_that_was_said",
    ),
    Mutant(
        file="callbacks/local_times.py",
        name="a promise that moved with the clock ignores the window",
        old="at = wanted if is_past else possible.at or wanted",
        new="at = wanted",
        tests=f"{_LOCAL_TIMES}::test_a_time_that_was_said_outside_the_window_moves_to_the_opening_on_the_new_clock",
    ),
    Mutant(
        file="callbacks/resuming.py",
        name="a retry is wanted again at once when its campaign resumes",
        old="now + delay_before(settings_of(call), outcome=outcome, number=number)",
        new="now",
        tests=f"{_RESUMING}::test_a_retry_that_is_rescheduled_keeps_its_own_delay_from_the_resume_on",
    ),
    Mutant(
        file="callbacks/resuming.py",
        name="nobody is told that a retry moved with its campaign",
        old='    record_events(events.of_callbacks([row.id for row in seen], "rescheduled", '
        "reason=_REASON, at=now), now=now)\n",
        new="",
        tests=f"{_RESUMING}::test_a_retry_that_is_rescheduled_keeps_its_own_delay_from_the_resume_on",
    ),
    Mutant(
        file="callbacks/scheduled.py",
        name="a promise forgets who is to talk",
        old="[new.assigned_persona_id for new in callbacks]",
        new="[None for _ in callbacks]",
        tests="tests/callbacks/test_requests.py::test_where_there_are_several_personas_somebody_must_name_one",
    ),
    Mutant(
        file="callbacks/scheduled.py",
        name="a callback does not say which call it follows",
        old="call_id, origin_call_id, original_outcome,\n            number, lim",
        new="call_id, NULL::uuid, original_outcome,\n            number, lim",
        tests="tests/callbacks/test_follow_ups.py::test_a_retry_says_which_call_it_follows_and_how_that_ended",
    ),
]
