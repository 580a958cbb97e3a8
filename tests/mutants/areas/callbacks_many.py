"""Faults in what people know better, in jobs over many callbacks, in how the queue is seen, and in its tasks."""

from tests.mutants.mutant import Mutant

_BULK = "tests/callbacks/test_bulk.py"
_QUEUE = "tests/reference/test_callback_queue.py"
_ROUTES = "tests/api/test_callbacks.py"
_TASKS = "tests/callbacks/test_tasks.py"
_VERDICTS = "tests/callbacks/test_corrections.py"
_WAITING = "tests/callbacks/test_waiting.py"

MUTANTS = [
    Mutant(
        file="callbacks/corrections.py",
        name="a contact whose machine verdict was corrected is called again",
        old="            _count_as_reached(row, now=now)\n        else:",
        new="            pass\n        else:",
        tests=f"{_VERDICTS}::TestWasAPerson::test_the_call_is_answered_its_retry_is_cancelled_and_the_chain_ends_reached",
    ),
    Mutant(
        file="callbacks/corrections.py",
        name="a call that nobody answered is corrected to an answer",
        old="        elif row.call.outcome == Outcome.VOICEMAIL:",
        new="        elif row.call.outcome:",
        tests=f"{_VERDICTS}::TestWasAPerson::test_only_what_was_taken_for_a_machine_can_be_corrected",
    ),
    Mutant(
        file="callbacks/corrections.py",
        name="a contact who was marked as reached is called again",
        old='            call_id, workspace_id=workspace_id, verb="mark_reached", actor=actor, reason=reason, now=now\n'
        "        )\n        _count_as_reached(row, now=now)",
        new='            call_id, workspace_id=workspace_id, verb="mark_reached", actor=actor, reason=reason, now=now\n'
        "        )",
        tests=f"{_VERDICTS}::TestMarkReached::test_the_contact_is_reached_and_the_call_needs_nobody_any_more",
    ),
    Mutant(
        file="callbacks/corrections.py",
        name="a call that is called back stays on the list of what needs a person",
        old="        reconciliation.mark_handled(\n"
        '            call_id, workspace_id=workspace_id, verb="call_back", actor=actor, reason=reason, now=now\n'
        "        )\n",
        new="",
        tests=f"{_VERDICTS}::TestCallBack::test_the_contact_is_promised_a_call_at_once_in_the_same_chain",
    ),
    Mutant(
        file="callbacks/corrections.py",
        name="a chain that was told as ended is not told as reached",
        old="        record_events([told], now=now)",
        new="        assert told",
        tests=f"{_VERDICTS}::TestWasAPerson::test_the_end_is_not_told_twice_and_what_follows_from_the_correction_is",
    ),
    Mutant(
        file="callbacks/corrections.py",
        name="nobody is named who corrected a verdict",
        old="reason=reason)\n        record(actor, [change], now=now)\n    return _read(call_id)\n",
        new="reason=reason)\n        assert change\n    return _read(call_id)\n",
        tests=f"{_VERDICTS}::TestWasAPerson::test_the_call_is_answered_its_retry_is_cancelled_and_the_chain_ends_reached",
    ),
    Mutant(
        file="callbacks/bulk.py",
        name="a dry run changes what it counts",
        old="        if order.dry_run:\n            transaction.set_rollback(True)\n",
        new="",
        tests=f"{_BULK}::test_a_dry_run_counts_what_would_change_and_changes_nothing",
    ),
    Mutant(
        file="callbacks/bulk.py",
        name="a job takes callbacks of other workspaces",
        old="order.action).filter(workspace_id=order.workspace_id)",
        new="order.action)",
        tests=f"{_BULK}::test_rows_of_another_workspace_are_never_among_them",
    ),
    Mutant(
        file="callbacks/bulk.py",
        name="two workers are at one job",
        old="Q(lease_until=None) | Q(lease_until__lte=now)",
        new="Q(lease_until=None) | Q(lease_until__gte=now)",
        tests=f"{_BULK}::test_a_job_that_a_worker_is_at_is_left_to_it",
    ),
    Mutant(
        file="callbacks/bulk.py",
        name="a row is done again by whoever comes later",
        old='filter(pk=row_id, outcome="").first()',
        new="filter(pk=row_id).first()",
        tests="tests/concurrency/test_taking_back.py::test_two_workers_at_one_bulk_action_do_each_callback_once",
    ),
    Mutant(
        file="callbacks/bulk.py",
        name="a job that was stopped goes on",
        old="BulkAction.objects.filter(pk=bulk_id, status=BulkStatus.RUNNING.value)\n    if not running",
        new="BulkAction.objects.filter(pk=bulk_id)\n    if not running",
        tests=f"{_BULK}::test_a_job_that_is_stopped_leaves_the_rest_alone",
    ),
    Mutant(
        file="callbacks/bulk.py",
        name="a deadlock is written down as a refusal",
        old="        except OperationalError:\n            # A deadlock or a lost connection is no refusal: "
        "the row keeps its empty outcome and is tried again.\n            raise\n",
        new="",
        tests=f"{_BULK}::test_a_row_that_met_a_deadlock_is_asked_again",
    ),
    Mutant(
        file="callbacks/bulk.py",
        name="nobody is named who stopped a job",
        old='        record(actor, [_change(bulk, "stop_bulk", {}, reason)], now=now)\n',
        new="",
        tests=f"{_BULK}::test_a_job_that_is_stopped_leaves_the_rest_alone",
    ),
    Mutant(
        file="callbacks/bulk.py",
        name="a local time for many is read in UTC",
        old='instant_of(datetime.fromisoformat(local), zone or "UTC")',
        new='instant_of(datetime.fromisoformat(local), "UTC")',
        tests=f"{_BULK}::test_a_local_time_is_on_each_contacts_own_clock",
    ),
    Mutant(
        file="callbacks/refusals.py",
        name="a refusal is not known for one",
        old="        case Refused():\n            return raised.code\n",
        new="",
        tests=f"{_BULK}::test_a_contact_that_was_suppressed_is_counted_as_such",
    ),
    Mutant(
        file="callbacks/refusals.py",
        name="a pending callback that cannot be taken back is told as already pending",
        old='            return "still_pending"',
        new='            return "already_pending"',
        tests=f"{_BULK}::test_to_take_back_what_is_pending_is_refused_as_such",
    ),
    Mutant(
        file="callbacks/queue_views.py",
        name="the week ends on Saturday",
        old="_days_later(midnight, 7 - local.weekday())",
        new="_days_later(midnight, 6 - local.weekday())",
        tests=f"{_QUEUE}::test_this_week_shows_callbacks_still_to_come_until_the_end_of_sunday",
    ),
    Mutant(
        file="callbacks/queue_views.py",
        name="today is a day of UTC",
        old="    local = now.astimezone(ZoneInfo(time_zone))",
        new='    local = now.astimezone(ZoneInfo("UTC"))',
        tests="tests/reference/test_callback_queue.py::test_due_today_shows_callbacks_of_today",
    ),
    Mutant(
        file="callbacks/queue_views.py",
        name="what is over is shown as overdue",
        old="    pending = callbacks.filter(status=CallbackStatus.PENDING.value)\n",
        new="    pending = callbacks\n",
        tests=f"{_ROUTES}::TestList::test_queues_show_pending_callbacks_by_urgency_in_the_order_of_their_times",
    ),
    Mutant(
        file="dialer/dialing/waiting.py",
        name="what has just come due is said to wait for a slot",
        old="    if call.lease_until is None and call.due_at + _ON_ITS_WAY < now:",
        new="    if call.due_at <= now:",
        tests=f"{_WAITING}::test_what_has_just_come_due_or_is_on_its_way_is_held_by_nothing",
    ),
    Mutant(
        file="dialer/dialing/waiting.py",
        name="a window that never opens is said to open",
        old="reason, None if is_hopeless else at",
        new="reason, at",
        tests=f"{_WAITING}::test_a_window_that_never_opens_again_waits_for_a_person",
    ),
    Mutant(
        file="callbacks/tasks.py",
        name="the sweep of deadlines ends after one batch",
        old="        if max(told, given_up) < BATCH or time.monotonic() - began > TURN_SECONDS:",
        new="        if True:",
        tests="tests/callbacks/test_deadlines.py::test_the_sweep_goes_on_while_there_is_more_than_a_batch",
    ),
    Mutant(
        file="callbacks/tasks.py",
        name="retries that are far too late are never given up",
        old="        given_up = len(deadlines.expire(limit=BATCH, now=now))",
        new="        given_up = 0",
        tests=f"{_TASKS}::test_deadlines_are_kept_late_promises_are_told_and_stale_retries_expire",
    ),
    Mutant(
        file="callbacks/tasks.py",
        name="a job whose turn is over waits for the sweep",
        old="    if has_more:\n        run_bulk.delay(bulk_id)",
        new="    assert has_more is not None",
        tests=f"{_TASKS}::test_a_bulk_action_whose_turn_is_over_goes_on_with_a_message_of_its_own",
    ),
    Mutant(
        file="callbacks/tasks.py",
        name="a job whose worker was killed is never gone on with",
        old="        run_bulk.delay(str(bulk_id))",
        new="        assert bulk_id",
        tests=f"{_TASKS}::test_a_bulk_action_whose_message_was_lost_is_nudged_again_and_one_that_somebody_is_at_is_not",
    ),
]
