"""Faults in the queue's verbs: promises made, moved, ended, taken back, corrected, and done to many."""

from tests.mutants.mutant import Mutant

_ACTIONS = "tests/callbacks/test_actions.py"
_BULK = "tests/callbacks/test_bulk.py"
_CALLBACKS = "tests/decisions/test_callbacks.py"
_EDITING = "tests/callbacks/test_editing.py"
_QUEUE = "tests/reference/test_callback_queue.py"
_ROUTES = "tests/api/test_callbacks.py"
_UNDOING = "tests/callbacks/test_undoing.py"
_VERBS = "tests/api/test_verbs.py"
_VERDICTS = "tests/callbacks/test_corrections.py"
_WAITING = "tests/callbacks/test_waiting.py"

MUTANTS = [
    Mutant(
        file="callbacks/verbs.py",
        name="a bulk undo takes back what was ended first",
        old='        turns=("-updated_at", "-id"),\n',
        new="",
        tests=f"{_BULK}::test_of_two_that_were_cancelled_for_one_contact_the_last_is_taken_back",
    ),
    Mutant(
        file="callbacks/scheduling.py",
        name="a call is promised to whoever asked not to be called",
        old="        if is_suppressed(workspace_id, contact.phone):\n            raise ContactSuppressed\n",
        new="",
        tests=f"{_ACTIONS}::test_nothing_is_promised_to_a_suppressed_contact",
    ),
    Mutant(
        file="callbacks/scheduling.py",
        name="a campaign may complete over a promise that is being made",
        old="        share_campaign(campaign_id)\n",
        new="",
        tests="tests/concurrency/test_promises.py::test_a_campaign_does_not_complete_over_a_promise_that_is_being_made",
    ),
    Mutant(
        file="callbacks/scheduling.py",
        name="a call may be promised two months ahead",
        old="FURTHEST_AHEAD = timedelta(days=30)",
        new="FURTHEST_AHEAD = timedelta(days=60)",
        tests=f"{_ACTIONS}::test_a_time_that_cannot_be_promised_is_refused",
    ),
    Mutant(
        file="callbacks/scheduling.py",
        name="a time an hour ago is taken for now",
        old="PAST_GRACE = timedelta(seconds=60)",
        new="PAST_GRACE = timedelta(hours=1)",
        tests=f"{_CALLBACKS}::test_up_to_sixty_seconds_in_the_past_is_now_and_more_is_refused",
    ),
    Mutant(
        file="callbacks/scheduling.py",
        name="a call is promised in a campaign that was cancelled",
        old="    if campaign and campaign.status in CAMPAIGN_OVER:",
        new="    if campaign and campaign.status in CAMPAIGN_OVER[:1]:",
        tests="tests/callbacks/test_requests.py::test_nothing_is_promised_in_a_campaign_that_is_over",
    ),
    Mutant(
        file="callbacks/scheduling.py",
        name="a manual callback replaces a promise",
        old="and not (is_retry and replace):",
        new="and not replace:",
        tests=f"{_ACTIONS}::test_a_manual_callback_names_the_pending_one_and_replaces_only_a_retry",
    ),
    Mutant(
        file="callbacks/scheduling.py",
        name="a local time in a repeated hour is its second pass",
        old="    instant = local_time.replace(tzinfo=info, fold=0).astimezone(UTC)",
        new="    instant = local_time.replace(tzinfo=info, fold=1).astimezone(UTC)",
        tests=f"{_ACTIONS}::test_a_local_time_is_the_first_instant_at_which_the_clock_shows_it",
    ),
    Mutant(
        file="dialer/setup/personas.py",
        name="of several personas the first one calls",
        old="return ids[0] if len(ids) == 1 else None",
        new="return ids[0] if ids else None",
        tests="tests/callbacks/test_requests.py::test_where_there_are_several_personas_somebody_must_name_one",
    ),
    Mutant(
        file="callbacks/scheduling.py",
        name="a promise does not move into the window",
        old="        forced=force.checks if force else frozenset(),\n    )\n    if possible.at is None:",
        new='        forced=frozenset({"outside_window"}),\n    )\n    if possible.at is None:',
        tests=f"{_ACTIONS}::test_a_requested_time_outside_the_window_moves_to_the_next_opening_and_says_so",
    ),
    Mutant(
        file="callbacks/scheduling.py",
        name="nobody is named who promised a call",
        old="        record(actor, [_change(callback, force, reason)], now=now)\n",
        new="",
        tests="tests/callbacks/test_requests.py::test_a_promise_leaves_who_when_and_why",
    ),
    Mutant(
        file="callbacks/scheduling.py",
        name="nobody is told of a promise",
        old='        record_events(events.of_callbacks([callback_id], "scheduled", '
        "reason=type.value, at=now), now=now)\n",
        new="",
        tests="tests/callbacks/test_requests.py::test_others_are_told_of_a_promise",
    ),
    Mutant(
        file="callbacks/scheduling.py",
        name="a promise does not say that its campaign is paused",
        old="return Waits.CAMPAIGN_PAUSED if is_held and not",
        new='return "" if is_held and not',
        tests=f"{_CALLBACKS}::test_requested_during_a_paused_campaign_is_accepted_held_and_said_so",
    ),
    Mutant(
        file="callbacks/actions.py",
        name="a callback that is being dialled can be moved",
        old="        if callback.status != CallbackStatus.PENDING or call.status != CallStatus.QUEUED:",
        new="        if callback.status not in (CallbackStatus.PENDING, CallbackStatus.DIALING):",
        tests=f"{_ACTIONS}::test_a_callback_that_is_being_dialled_refuses_every_action",
    ),
    Mutant(
        file="callbacks/actions.py",
        name="whoever asked not to be called is called now",
        old="    if call.is_suppressed:\n        raise ContactSuppressed\n",
        new="",
        tests=f"{_CALLBACKS}::test_call_now_for_a_suppressed_contact_is_a_conflict",
    ),
    Mutant(
        file="callbacks/actions.py",
        name="a call is made now although its campaign is paused",
        old='not in (None, "running") and Waits.CAMPAIGN_PAUSED not in forced:',
        new='not in (None, "running", "paused") and Waits.CAMPAIGN_PAUSED not in forced:',
        tests=f"{_ROUTES}::TestActions::test_call_now_in_a_paused_campaign_needs_force",
    ),
    Mutant(
        file="dialer/calls/call_states.py",
        name="a message that is under way dials what was moved",
        old="                held_reason = '', lease_until = NULL, generation = c.generation + 1\n"
        "            FROM unnest(%(ids)s::uuid[], %(due)s::timestamptz[], %(not_after)s",
        new="                held_reason = ''\n"
        "            FROM unnest(%(ids)s::uuid[], %(due)s::timestamptz[], %(not_after)s",
        tests="tests/concurrency/test_twenty_cells.py"
        "::test_an_action_changes_the_row_and_the_old_promise_is_dead_or_it_is_refused_and_the_call_is_made_once",
    ),
    Mutant(
        file="callbacks/actions.py",
        name="what an operator wants now waits its turn",
        old="_move(row, now, rank=Rank.CALL_NOW, force=force",
        new="_move(row, now, rank=Rank.RETRY, force=force",
        tests=f"{_ACTIONS}::test_call_now_makes_it_due_at_once_and_ahead_of_others",
    ),
    Mutant(
        file="callbacks/actions.py",
        name="a promise that was moved is never late again",
        old="        late_event_at=None,\n",
        new="",
        tests="tests/callbacks/test_deadlines.py::test_a_promise_that_was_moved_may_be_late_again",
    ),
    Mutant(
        file="callbacks/actions.py",
        name="a stale retry that an operator moves stays stale",
        old="not_after=at + stale_after if call.not_after else None,",
        new="not_after=call.not_after,",
        tests="tests/callbacks/test_deadlines.py::test_an_operator_may_call_a_stale_retry_now",
    ),
    Mutant(
        file="callbacks/actions.py",
        name="a promise can be skipped",
        old="        if row.callback.type != CallbackType.AUTO_RETRY:\n            raise NotARetry\n",
        new="",
        tests=f"{_CALLBACKS}::test_skip_of_a_requested_or_manual_one_is_a_conflict",
    ),
    Mutant(
        file="callbacks/actions.py",
        name="the retry after a skip counts from now and not from the time that was skipped",
        old="        at=max(callback.scheduled_at, now),",
        new="        at=now,",
        tests=f"{_ACTIONS}::test_skip_uses_the_retry_up_and_schedules_the_next",
    ),
    Mutant(
        file="callbacks/actions.py",
        name="a contact who was reached counts as exhausted when the last retry is skipped",
        old="ContactState.REACHED if chain.was_reached else ContactState.EXHAUSTED",
        new="ContactState.EXHAUSTED",
        tests=f"{_CALLBACKS}::test_the_final_result_stays_completed_where_the_retry_after_such_a_promise_is_skipped",
    ),
    Mutant(
        file="callbacks/actions.py",
        name="a chain that was cancelled beside a live call goes on",
        old="        calls.settle_live(row.call.chain_id, now=now)\n",
        new="",
        tests=f"{_ACTIONS}::test_a_chain_that_was_ended_while_its_call_was_live_is_followed_by_no_retry",
    ),
    Mutant(
        file="callbacks/actions.py",
        name="nobody is named who skipped a retry",
        old='        leave_trace(row, "skip", actor, to_state={"status": "skipped"}, reason=reason, now=now)\n',
        new="",
        tests=f"{_ACTIONS}::test_every_action_leaves_who_from_which_state_and_why",
    ),
    Mutant(
        file="callbacks/actions.py",
        name="nobody is named who ended a chain",
        old='        leave_trace(row, "cancel", actor, to_state={"status": "cancelled"}, reason=reason, now=now)\n',
        new="        assert row\n",
        tests=f"{_BULK}::test_every_change_leaves_its_own_audit_entry_of_whoever_asked_for_it",
    ),
    Mutant(
        file="callbacks/editing.py",
        name="an archived persona is assigned",
        old="usable.filter(archived_at=None) if persona_id else usable",
        new="usable",
        tests=f"{_EDITING}::test_another_workspaces_persona_and_an_archived_one_are_refused",
    ),
    Mutant(
        file="callbacks/editing.py",
        name="another workspace's persona is assigned",
        old="usable = Persona.objects.in_workspace(row.callback.workspace_id)",
        new="usable = Persona.objects.all()",
        tests=f"{_EDITING}::test_another_workspaces_persona_and_an_archived_one_are_refused",
    ),
    Mutant(
        file="callbacks/editing.py",
        name="the persona that was assigned does not make the call",
        old='    Call.objects.filter(pk=row.callback.call_id, status="queued").update(persona=persona)\n',
        new="",
        tests=f"{_EDITING}::test_the_assigned_persona_makes_the_call_and_those_that_follow_it",
    ),
    Mutant(
        file="callbacks/undoing.py",
        name="a callback is taken back after the contact was called",
        old='    if since.was_called:\n        raise NotUndoable(why="contact_called")\n',
        new="",
        tests=f"{_UNDOING}::test_nothing_is_taken_back_after_the_contact_was_called",
    ),
    Mutant(
        file="callbacks/undoing.py",
        name="a retry is taken back for a contact who called meanwhile",
        old='        raise NotUndoable(why="contact_answered")',
        new="        pass",
        tests=f"{_UNDOING}::test_a_retry_is_not_taken_back_for_a_contact_who_was_reached_since",
    ),
    Mutant(
        file="callbacks/undoing.py",
        name="two skips are taken back out of order",
        old='        raise NotUndoable(why="skipped_again")',
        new="        pass",
        tests=f"{_UNDOING}::test_a_skip_is_not_taken_back_before_the_later_skip_of_the_retry_that_followed",
    ),
    Mutant(
        file="callbacks/undoing.py",
        name="what a suppression cancelled is taken back by hand",
        old="    elif callback.call.held_reason != callback.status:",
        new="    elif callback.call.held_reason is None:",
        tests=f"{_UNDOING}::test_lifting_a_suppression_does_not_let_anybody_undo_what_it_cancelled",
    ),
    Mutant(
        file="callbacks/undoing.py",
        name="what the contact's own call completed is taken back after days",
        old="        if now > callback.updated_at + INBOUND_UNDOABLE:",
        new="        if now < callback.updated_at:",
        tests=f"{_UNDOING}::test_what_the_contacts_own_call_completed_can_be_taken_back_for_a_day",
    ),
    Mutant(
        file="callbacks/undoing.py",
        name="a callback is taken back in a campaign that is over",
        old="status__in=CAMPAIGN_OVER).exists():\n        raise CampaignOver\n",
        new="status__in=CAMPAIGN_OVER).exists():\n        assert CampaignOver\n",
        tests=f"{_UNDOING}::test_nothing_is_taken_back_in_a_campaign_that_is_over",
    ),
    Mutant(
        file="callbacks/undoing.py",
        name="an undone skip leaves the retry that followed from it",
        old="    calls.withdraw([pending.call_id], why=Withdrawal.SUPERSEDED, now=now, ends_chain=False)\n",
        new="",
        tests=f"{_UNDOING}::test_an_undone_skip_takes_back_the_retry_that_followed_and_what_it_used_up",
    ),
    Mutant(
        file="callbacks/undoing.py",
        name="an undone skip takes away what somebody promised meanwhile",
        old="    if not follows_from_skip:",
        new="    if callback.status != CallbackStatus.SKIPPED:",
        tests=f"{_UNDOING}::test_an_undone_skip_leaves_what_was_promised_meanwhile",
    ),
    Mutant(
        file="callbacks/undoing.py",
        name="nobody is told that a callback was taken back",
        old='        record_events(events.of_callbacks([callback_id], "scheduled", '
        'reason="undone", at=now), now=now)\n',
        new="",
        tests=f"{_UNDOING}"
        "::test_others_are_told_that_the_callback_is_scheduled_again_and_the_end_of_the_chain_only_once",
    ),
    Mutant(
        file="callbacks/undoing.py",
        name="what is taken back ignores that the contact's clock changed",
        old="        derive_anew([callback.contact_id], now=now)\n",
        new="",
        tests=f"{_UNDOING}::test_a_promise_for_a_local_time_follows_a_clock_that_changed_while_it_was_cancelled",
    ),
]
