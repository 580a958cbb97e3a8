"""Faults in the last look before a carrier is asked, in asking it, and in taking down what it answers."""

from tests.mutants.mutant import Mutant

_PLACING = "dialer/dialing/placing.py"
_JUDGING = "dialer/dialing/eligibility.py"
_FACTS = "dialer/calls/context.py"
_OUTAGES = "dialer/dialing/line_health.py"
_PIPELINE = "tests/dialer/dialing/test_pipeline.py"
_PLACING_TESTS = "tests/dialer/dialing/test_placing.py"
_PUTTING_BACK = "tests/dialer/dialing/test_putting_back.py"
_OUTAGE_TESTS = "tests/dialer/dialing/test_line_health.py"

MUTANTS = [
    Mutant(
        file=_PLACING,
        name="a message of an older generation dials",
        old="        and call.generation == wanted[call.id]\n",
        new="",
        tests=f"{_PIPELINE}::test_a_lost_message_costs_the_lease_and_never_a_call",
    ),
    Mutant(
        file=_PLACING,
        name="a message dials after its lease ran out",
        old="        and call.lease_until > now\n",
        new="",
        tests=f"{_PLACING_TESTS}::test_a_message_that_comes_after_its_lease_dials_nothing",
    ),
    Mutant(
        file=_PLACING,
        name="placing does not wait for a pause that is under way",
        old="    _lock_campaigns(list(wanted))\n",
        new="",
        tests=f"{_PLACING_TESTS}::test_a_pause_that_is_under_way_is_waited_for",
    ),
    Mutant(
        file="dialer/calls/call_states.py",
        name="a call in hand is not looked up if its worker dies",
        old="            held_reason = '', check_at = %(check_at)s\n",
        new="            held_reason = ''\n",
        tests=f"{_PLACING_TESTS}::test_a_call_whose_worker_dies_while_the_carrier_is_asked_is_looked_up",
    ),
    Mutant(
        file="dialer/calls/call_states.py",
        name="the number dialled is not written down",
        old="dialing_at = %(now)s, number = t.number, lease_until = NULL",
        new="dialing_at = %(now)s, lease_until = NULL",
        tests="tests/decisions/test_contacts_and_numbers.py"
        "::test_where_the_number_changes_while_a_callback_is_pending_the_number_valid_at_dialling_is_dialled",
    ),
    Mutant(
        file=_PLACING,
        name="promises are not told that their calls are dialled",
        old="        listener().calls_dialling([call.id for call in callbacks], now=now)\n",
        new="",
        tests=f"{_PIPELINE}::test_a_waiting_contact_is_called_and_called_back_when_nobody_answers",
    ),
    Mutant(
        file="dialer/calls/campaign_contacts.py",
        name="a contact who is called back is not shown as being called",
        old="from_=[ContactState.WAITING, ContactState.CALLBACK_PENDING])",
        new="from_=[ContactState.WAITING])",
        tests=f"{_PLACING_TESTS}::test_a_contact_who_is_called_back_is_being_called",
    ),
    Mutant(
        file="dialer/calls/call_states.py",
        name="a call that is held keeps its lease",
        old="held_reason = t.reason, lease_until = NULL,\n                generation = c.generation + 1\n",
        new="held_reason = t.reason\n",
        tests=f"{_PLACING_TESTS}::test_a_call_that_is_held_can_be_claimed_again",
    ),
    Mutant(
        file=_PLACING,
        name="a worker that stood still asks the carrier all the same",
        old="    if time.monotonic() > until:",
        new="    if before is None:",
        tests=_PLACING_TESTS,
    ),
    Mutant(
        file=_PLACING,
        name="one call that cannot be judged keeps its batch from being placed",
        old="        if len(claims) == 1:\n            raise\n",
        new="        raise\n",
        tests=f"{_PLACING_TESTS}::test_a_call_that_cannot_be_judged_does_not_keep_its_batch_from_being_placed",
    ),
    Mutant(
        file=_PLACING,
        name="calls placed one by one count from when their batch began",
        old="place([claim], now=now + timedelta(seconds=time.monotonic() - began))",
        new="place([claim], now=now)",
        tests=f"{_PLACING_TESTS}::test_each_call_of_a_batch_that_is_placed_one_by_one_is_handed_over_at_its_own_time",
    ),
    Mutant(
        file=_PLACING,
        name="an adapter that breaks loses the answers of its batch",
        old='        log.exception("call.place_failed call=%s", request.public_id)\n',
        new="        raise\n",
        tests=f"{_PIPELINE}::test_the_adapter_breaking_is_taken_as_an_ambiguous_answer",
    ),
    Mutant(
        file=_PLACING,
        name="a busy carrier is asked again at once",
        old="due_at=now + answer.retry_after, reason=answer.reason",
        new="due_at=now, reason=answer.reason",
        tests=f"{_PLACING_TESTS}::test_a_busy_carrier_is_asked_again_when_it_said",
    ),
    Mutant(
        file=_PLACING,
        name="an ambiguous answer is looked up as late as any",
        old='{"ids": ambiguous, "at": now + LOOK_AFTER_DOUBT}',
        new='{"ids": ambiguous, "at": now + FIRST_LOOK}',
        tests=f"{_PLACING_TESTS}::test_an_ambiguous_answer_is_looked_up_within_seconds",
    ),
    Mutant(
        file="dialer/calls/call_states.py",
        name="a late refusal queues a call again that has ended",
        old="WHERE c.id = t.id AND c.status IS NOT DISTINCT FROM 'dialing' AND c.carrier_call_id = ''",
        new="WHERE c.id = t.id AND c.carrier_call_id = ''",
        tests=f"{_PUTTING_BACK}::test_a_call_that_was_given_up_meanwhile_is_not_dialled_again",
    ),
    Mutant(
        file="dialer/calls/call_states.py",
        name="a call that is put back is dialled beside the promise made meanwhile",
        old="SELECT FROM dialer_call o JOIN dialer_call q ON q.chain_id = o.chain_id AND q.status = 'queued'\n"
        "                WHERE o.id = m.id\n",
        new="SELECT FROM dialer_call o WHERE false\n",
        tests=_PUTTING_BACK,
    ),
    Mutant(
        file=_PLACING,
        name="a call that was cancelled while its carrier was busy is dialled again",
        old="    calls.end_cancelled(back, now=now)\n",
        new="",
        tests=f"{_PUTTING_BACK}::test_a_call_that_was_cancelled_meanwhile_ends_instead_of_being_dialled_again",
    ),
    Mutant(
        file=_PLACING,
        name="the answers of a carrier are not taken note of",
        old="    line_health.note(zip((line for line, _ in requests), answers, strict=True), now=now + waited)\n",
        new="",
        tests=f"{_OUTAGE_TESTS}::test_a_carrier_that_refuses_connections_is_left_alone_and_no_call_is_lost",
    ),
    Mutant(
        file=_JUDGING,
        name="all calls of a batch try whether a carrier is back",
        old="if isinstance(answer, Go) and call.line_outages and call.line_id in tried:",
        new="if isinstance(answer, Go) and call.line_outages and call.line_id is None:",
        tests=f"{_OUTAGE_TESTS}::test_one_call_tries_whether_the_carrier_is_back_and_its_answer_lets_the_others_go",
    ),
    Mutant(
        file=_JUDGING,
        name="a batch does not see its own calls as live",
        old="            taken |= {(call.workspace_id, call.phone), (call.workspace_id, call.contact_id)}\n",
        new="",
        tests=f"{_PLACING_TESTS}::test_two_calls_to_one_number_do_not_break_their_batch",
    ),
    Mutant(
        file=_JUDGING,
        name="a number that changed while it was locked is dialled without its lock",
        old="        if phones[call.id] != call.phone:",
        new="        if phones[call.id] is None:",
        tests=f"{_PLACING_TESTS}::test_a_number_that_changes_between_its_lock_and_the_look_is_not_dialled_yet",
    ),
    Mutant(
        file=_JUDGING,
        name="a call that was claimed before its campaign's end is dialled after it",
        old="    return CampaignStatus.PAUSED.value if is_over else status\n",
        new="    return status\n",
        tests="tests/callbacks/test_resuming.py::test_a_call_claimed_before_the_end_is_not_dialled_after_it",
    ),
    Mutant(
        file=_JUDGING,
        name="a queue's page says of a call that is not due what a due one would hear",
        old="        due = replace(candidate, due_at=min(candidate.due_at, now))\n",
        new="        due = replace(candidate, due_at=candidate.due_at)\n",
        tests="tests/callbacks/test_waiting.py",
    ),
    Mutant(
        file=_FACTS,
        name="calls that came in count in the limits of a number",
        old="                AND c.dialing_at > %(since)s AND c.direction = 'outbound'\n",
        new="                AND c.dialing_at > %(since)s\n",
        tests="tests/dialer/dialing/test_inbound.py::test_an_inbound_call_counts_in_no_limit",
    ),
    Mutant(
        file=_FACTS,
        name="the ledger is read for the period of one call of a batch and not for the longest",
        old="            period = max(period, longest_period(its_terms.limits))\n",
        new="            period = period or longest_period(its_terms.limits)\n",
        tests=f"{_PLACING_TESTS}::test_a_batch_is_judged_by_the_longest_period_that_any_of_its_limits_counts",
    ),
    Mutant(
        file=_FACTS,
        name="a number that is suppressed by its hash is called",
        old="                OR EXISTS (SELECT FROM dialer_suppression s WHERE s.workspace_id = c.workspace_id\n"
        "                    AND s.phone = {hashed_phone}) AS is_suppressed\n",
        new="                AS is_suppressed\n",
        tests=f"{_PLACING_TESTS}::test_a_number_that_is_held_by_its_hash_is_not_dialled",
    ),
    Mutant(
        file=_FACTS,
        name="a suppression in another workspace stops calls",
        old="WHERE s.workspace_id = c.workspace_id AND s.phone = p.phone)",
        new="WHERE s.phone = p.phone)",
        tests=f"{_PLACING_TESTS}::test_a_number_that_another_workspace_suppressed_is_dialled",
    ),
    Mutant(
        file=_FACTS,
        name="the weekend is the same in every country",
        old="country = country_of(phone) if any(WEEKEND_OFF in text for text in schedules) else None",
        new="country = None",
        tests="tests/api/test_windows.py::test_the_weekend_is_that_of_the_contacts_country",
    ),
    Mutant(
        file=_FACTS,
        name="a campaign's time zone is forgotten",
        old='campaign_zone=call.campaign_zone or "",',
        new='campaign_zone="",',
        tests=f"{_PLACING_TESTS}::test_a_contact_whose_zone_nobody_knows_is_judged_by_the_campaigns_clock",
    ),
    Mutant(
        file=_OUTAGES,
        name="failures count although the carrier answered another call",
        old="for line_id in sorted(failures.keys() - alive.keys()):",
        new="for line_id in sorted(failures.keys()):",
        tests=f"{_OUTAGE_TESTS}::test_one_answer_among_failures_proves_the_carrier_alive",
    ),
    Mutant(
        file=_OUTAGES,
        name="a carrier that is back stays down",
        old="        Line.objects.filter(pk__in=troubled).update(**IN_REACH)\n",
        new="",
        tests=f"{_OUTAGE_TESTS}::test_one_call_tries_whether_the_carrier_is_back_and_its_answer_lets_the_others_go",
    ),
    Mutant(
        file=_OUTAGES,
        name="rejected credentials are taken for an outage",
        old="                reasons[line.pk] = REJECTED\n",
        new='                reasons[line.pk] = ""\n',
        tests=f"{_OUTAGE_TESTS}::test_a_campaign_fails_where_its_credentials_are_rejected_for_good_and_not_before",
    ),
    Mutant(
        file=_OUTAGES,
        name="of the failures of a batch only one counts",
        old="        _fail(line_id, times=failures[line_id], reason=reasons[line_id], now=now)\n",
        new="        _fail(line_id, times=1, reason=reasons[line_id], now=now)\n",
        tests=f"{_OUTAGE_TESTS}::test_a_carrier_that_refuses_connections_is_left_alone_and_no_call_is_lost",
    ),
    Mutant(
        file=_OUTAGES,
        name="failures of a carrier that answers again are remembered",
        old="    troubled = [line.pk for line in alive.values() if line.failures_in_a_row]\n",
        new="    troubled = [line.pk for line in alive.values() if line.down_until]\n",
        tests=f"{_OUTAGE_TESTS}::test_failures_with_answers_between_them_are_no_outage",
    ),
    Mutant(
        file=_OUTAGES,
        name="two workers' failures of one line count once",
        old="        line = Line.objects.select_for_update(no_key=True).get(pk=line_id)\n",
        new="        line = Line.objects.get(pk=line_id)\n",
        tests=f"{_OUTAGE_TESTS}::test_failures_that_two_workers_note_at_once_all_count",
    ),
]
