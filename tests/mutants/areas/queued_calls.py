"""Faults in the queue of record: calls put in, taken out, cancelled, and first calls given their time."""

from tests.mutants.mutant import Mutant

_CALLS = "dialer/calls/calls.py"
_FIRST = "dialer/contacts/first_calls.py"
_SINGLE = "dialer/dialing/single_calls.py"
_RESTORING = "dialer/calls/calls.py"
_PROMISES = "dialer/calls/listener.py"
_CALL_TESTS = "tests/dialer/calls/test_calls.py"
_CAMPAIGN_TESTS = "tests/dialer/campaigns/test_lifecycle.py"
_SINGLE_TESTS = "tests/dialer/dialing/test_single_calls.py"
_WITHDRAWS = """\
            ORDER BY id FOR NO KEY UPDATE
        )
        UPDATE dialer_call c SET status = CASE WHEN was_accepted THEN 'ended' ELSE 'withdrawn' END,
            outcome = CASE WHEN was_accepted THEN 'cancelled' ELSE '' END,
            ended_reason = CASE WHEN was_accepted THEN 'cancelled' ELSE '' END,
            ended_at = CASE WHEN was_accepted THEN %(now)s END,
            held_reason = %(why)s, lease_until = NULL, generation = c.generation + 1
        FROM mine WHERE c.id = mine.id AND c.status = 'queued'
"""

MUTANTS = [
    Mutant(
        file="dialer/calls/call_states.py",
        name="the sweep withdraws a stale retry that an operator has just moved",
        old="AND status = 'queued' AND (NOT %(only_stale)s OR not_after < %(now)s)",
        new="AND status = 'queued' AND (%(only_stale)s IS NOT NULL OR not_after < %(now)s)",
        tests="tests/callbacks/test_deadlines.py"
        "::test_a_retry_that_an_operator_moved_while_the_sweep_looked_does_not_expire",
    ),
    Mutant(
        file=_CALLS,
        name="a promise that is withdrawn ends the chain of a call that is live",
        old="    live = _lock_live_chains(call_ids) if ends_chain else set()\n",
        new="    live: set[UUID] = set()\n",
        tests="tests/dialer/dialing/test_completion.py"
        "::test_a_promise_cancelled_during_a_call_leaves_the_end_of_the_chain_to_the_call",
    ),
    Mutant(
        file="dialer/calls/call_states.py",
        name="a call that is handed over is withdrawn",
        old=" AND status = 'queued' AND (NOT %(only_stale)s OR not_after < %(now)s)\n" + _WITHDRAWS,
        new=" AND (NOT %(only_stale)s OR not_after < %(now)s)\n" + _WITHDRAWS.replace(" AND c.status = 'queued'", ""),
        tests=f"{_CALL_TESTS}::test_only_what_is_queued_is_withdrawn",
    ),
    Mutant(
        file="dialer/calls/call_states.py",
        name="a call that a client made vanishes where it is withdrawn",
        old="campaign_id IS NULL AND rank = %(new)s AS was_accepted",
        new="false AS was_accepted",
        tests=f"{_CALL_TESTS}::test_a_call_that_a_client_made_ends_cancelled_where_it_is_withdrawn",
    ),
    Mutant(
        file=_CALLS,
        name="the end of a call that a client made is told of its chain only",
        old="    if accepted := [row.id for row in rows if row.status == CallStatus.ENDED]:\n",
        new="    if accepted := []:\n",
        tests=f"{_CALL_TESTS}::test_a_call_that_a_client_made_ends_cancelled_where_it_is_withdrawn",
    ),
    Mutant(
        file=_CALLS,
        name="promises are not told that their calls were withdrawn",
        old="    if withdrawn:\n        listener().calls_withdrawn(withdrawn, why, now=now)\n",
        new="",
        tests="tests/decisions/test_campaigns.py"
        "::test_cancel_cancels_every_pending_callback_with_one_event_each_and_waiting_contacts",
    ),
    Mutant(
        file=_CALLS,
        name="the end of a chain is told of a contact that was never called",
        old="            if call.attempt_number > 1 or call.status == CallStatus.ENDED\n        ],",
        new="        ],",
        tests=f"{_CALL_TESTS}::test_a_first_call_that_is_withdrawn_ends_no_chain",
    ),
    Mutant(
        file=_CALLS,
        name="a suppression withdraws the calls of every workspace",
        old='        WHERE p.workspace_id = %(workspace)s AND p.phone = ANY(%(numbers)s)\n        """,\n'
        '        {"workspace": workspace_id, "numbers": list(numbers)},\n    )\n    return withdraw(',
        new='        WHERE p.phone = ANY(%(numbers)s)\n        """,\n'
        '        {"workspace": workspace_id, "numbers": list(numbers)},\n    )\n    return withdraw(',
        tests="tests/dialer/contacts/test_suppressions.py::test_a_number_is_stopped_in_its_workspace_and_in_no_other",
    ),
    Mutant(
        file=_CALLS,
        name="a chain that a person ended goes on after its live call",
        old="        UPDATE dialer_call SET settled_at = %(now)s\n",
        new="        UPDATE dialer_call SET settled_at = NULL\n",
        tests="tests/callbacks/test_actions.py"
        "::test_a_chain_that_was_ended_while_its_call_was_live_is_followed_by_no_retry",
    ),
    Mutant(
        file="dialer/calls/call_states.py",
        name="the messages of a campaign's claims stay valid after its pause",
        old="        UPDATE dialer_call SET lease_until = NULL, generation = generation + 1\n"
        "        WHERE campaign_id = %(campaign)s",
        new="        UPDATE dialer_call SET lease_until = NULL\n        WHERE campaign_id = %(campaign)s",
        tests=f"{_CAMPAIGN_TESTS}::test_pause_takes_claims_back_and_says_what_it_holds",
    ),
    Mutant(
        file="dialer/calls/campaign_contacts.py",
        name="a contact that is at its end is ended again with another reason",
        old='"reason": end_reason, "now": now, "from": list(OPEN_STATES)}',
        new='"reason": end_reason, "now": now, "from": list(ContactState)}',
        tests=f"{_CALL_TESTS}::test_a_contact_that_is_at_its_end_stays_as_it_is_when_a_call_is_withdrawn",
    ),
    Mutant(
        file="dialer/calls/call_states.py",
        name="a call that came in is cancelled",
        old="('queued', 'dialing', 'ringing', 'in_progress') AND direction = 'outbound'",
        new="('queued', 'dialing', 'ringing', 'in_progress')",
        tests="tests/dialer/dialing/test_inbound.py::test_a_call_that_came_in_is_not_ours_to_cancel",
    ),
    Mutant(
        file=_CALLS,
        name="nobody can see who cancelled a call",
        old="        record(actor, [change], now=now)\n",
        new="",
        tests=f"{_CALL_TESTS}::test_the_audit_says_who_cancelled_a_call_and_why",
    ),
    Mutant(
        file=_CALLS,
        name="a call that is cancelled before dialling leaves its contact waiting",
        old="    if call.campaign_contact_id and is_over:\n",
        new="    if call.campaign_contact_id and not is_over:\n",
        tests=f"{_CALL_TESTS}::test_a_retry_that_was_cancelled_before_dialling_is_no_attempt_of_its_chain",
    ),
    Mutant(
        file=_CALLS,
        name="the contact who called us counts as one who was never talked to",
        old="    if why is Withdrawal.INBOUND_CALL:\n",
        new='    if why == "":\n',
        tests="tests/dialer/dialing/test_inbound.py"
        "::test_an_answered_call_from_the_contact_completes_its_retry_and_ends_the_chain_as_reached",
    ),
    Mutant(
        file=_FIRST,
        name="first calls do not wait for the start of their campaign",
        old="    earliest = max(now, campaign.start_at or now)\n",
        new="    earliest = now\n",
        tests="tests/dialer/contacts/test_first_calls.py::test_first_calls_wait_for_the_start_of_their_campaign",
    ),
    Mutant(
        file=_FIRST,
        name="a local start is that of the contact's first zone only",
        old="for zone in zones or (fallback.zone,)))",
        new="for zone in zones[:1] or (fallback.zone,)))",
        tests="tests/dialer/contacts/test_first_calls.py::test_a_local_start_has_come_in_every_zone_that_the_number_may_be_in",
    ),
    Mutant(
        file=_FIRST,
        name="a contact without a zone starts by the clock of UTC",
        old="for zone in zones or (fallback.zone,)))",
        new='for zone in zones or ("UTC",)))',
        tests="tests/dialer/contacts/test_first_calls.py"
        "::test_a_local_start_is_by_the_campaigns_clock_where_nobody_knows_the_contacts",
    ),
    Mutant(
        file=_FIRST,
        name="contacts whose window never opens wait for ever",
        old="        [id_ for id_, at in due.items() if at is None],\n",
        new="        [],\n",
        tests=f"{_CAMPAIGN_TESTS}::test_contacts_whose_window_never_opens_come_to_their_end",
    ),
    Mutant(
        file=_FIRST,
        name="a country's weekend is closed for every country",
        old='if schedule_.get("days") == WEEKEND_OFF else schedule_',
        new="if False else schedule_",
        tests="tests/dialer/contacts/test_first_calls.py::test_a_weekend_that_is_not_everybodys_does_not_put_off_a_first_call",
    ),
    Mutant(
        file=_FIRST,
        name="a first call keeps its time when its contact's clock changes",
        old="    waiting.update(due_at=None)\n",
        new="",
        tests="tests/dialer/contacts/test_contacts.py::test_a_changed_zone_moves_first_calls_that_wait",
    ),
    Mutant(
        file=_SINGLE,
        name="a call to a suppressed number is queued",
        old="            raise NumberSuppressed\n",
        new="            pass\n",
        tests=f"{_SINGLE_TESTS}::test_a_suppressed_number_is_refused_and_nothing_is_stored",
    ),
    Mutant(
        file=_SINGLE,
        name="a call shows no number",
        old='            caller_id=next(iter(line.caller_ids), ""),\n',
        new='            caller_id="",\n',
        tests=f"{_SINGLE_TESTS}::test_the_number_that_the_line_shows_first_is_shown",
    ),
    Mutant(
        file=_SINGLE,
        name="an archived persona talks",
        old="    if not Persona.objects.in_workspace(workspace_id).filter(archived_at=None, pk=wanted).exists():\n",
        new="    if not Persona.objects.in_workspace(workspace_id).filter(pk=wanted).exists():\n",
        tests=f"{_SINGLE_TESTS}::test_a_persona_or_line_that_is_archived_makes_no_call",
    ),
    Mutant(
        file=_SINGLE,
        name="an archived line calls",
        old="    usable = Line.objects.in_workspace(workspace_id).filter(archived_at=None)\n",
        new="    usable = Line.objects.in_workspace(workspace_id)\n",
        tests=f"{_SINGLE_TESTS}::test_a_persona_or_line_that_is_archived_makes_no_call",
    ),
    Mutant(
        file=_SINGLE,
        name="a call may be named for a time long past",
        old='    if read["wanted"] < now - PAST_GRACE:\n',
        new='    if read["wanted"] is None:\n',
        tests=f"{_SINGLE_TESTS}::test_everything_at_fault_is_named_at_once",
    ),
    Mutant(
        file=_SINGLE,
        name="a call may be put off for a year",
        old='    elif read["wanted"] > now + FURTHEST_AHEAD:\n',
        new='    elif read["wanted"] > now + 12 * FURTHEST_AHEAD:\n',
        tests=f"{_SINGLE_TESTS}::test_a_call_may_be_named_for_thirty_days_ahead_and_not_for_more",
    ),
    Mutant(
        file=_SINGLE,
        name="a call is moved to the next opening and nobody is told",
        old="        adjusted_from=wanted if possible.shifts else None,\n",
        new="        adjusted_from=None,\n",
        tests=f"{_SINGLE_TESTS}::test_outside_the_window_it_is_moved_to_the_next_opening_and_says_so",
    ),
    Mutant(
        file="dialer/calls/call_states.py",
        name="a call that was cancelled is put back as if it had been withdrawn",
        old="        WHERE id = %(id)s AND status = 'withdrawn' AND dialing_at IS NULL",
        new="        WHERE id = %(id)s AND dialing_at IS NULL",
        tests="tests/dialer/calls/test_requeue.py::test_only_what_was_withdrawn_is_put_back",
    ),
    Mutant(
        file=_RESTORING,
        name="a call that was taken back leaves its contact at its end",
        old="    if rows[0].campaign_contact_id:\n",
        new="    if not rows:\n",
        tests="tests/callbacks/test_undoing.py::test_what_was_cancelled_or_completed_is_dialled_at_its_time_after_all",
    ),
    Mutant(
        file=_RESTORING,
        name="a contact that is on the phone is shown as waiting for its callback",
        old="from_=set(ContactState) - {ContactState.CALLING}",
        new="from_=set(ContactState)",
        tests="tests/dialer/calls/test_requeue.py::test_a_contact_waits_for_its_call_again_unless_it_is_being_called",
    ),
    Mutant(
        file=_PROMISES,
        name="without callbacks a chain has no reason for its end",
        old="FollowUp(stop=ended.end.outcome)",
        new='FollowUp(stop="")',
        tests="tests/dialer/test_without_callbacks.py",
    ),
    Mutant(
        file=_PROMISES,
        name="the setting that names who promises calls is not read",
        old="    return _load(settings.CALL_LISTENER)\n",
        new='    return _load("callbacks.follow_ups.Callbacks")\n',
        tests="tests/dialer/test_without_callbacks.py",
    ),
]
