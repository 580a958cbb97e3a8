"""Faults in the claim: which calls are handed to the workers, for which second, and how many."""

from tests.mutants.mutant import Mutant

_DISPATCH = "dialer/dialing/claim.py"
_ROOMS = "dialer/dialing/capacity.py"
_CLAIM = "tests/dialer/dialing/test_claim.py"
_PACING = "tests/dialer/dialing/test_pacing.py"
_PIPELINE = "tests/dialer/dialing/test_pipeline.py"

MUTANTS = [
    Mutant(
        file="dialer/dialing/capacity.py",
        name="looking for campaigns with due calls scans the table",
        old="                ORDER BY q.due_at LIMIT 1\n",
        new="                LIMIT 1\n",
        tests=f"{_CLAIM}::test_a_claim_reads_no_more_of_a_queue_that_holds_many_calls_for_later",
    ),
    Mutant(
        file="dialer/dialing/claim.py",
        name="claimed calls are given out in no order",
        old="    return [dispatched[id_] for id_ in starts if id_ in dispatched]\n",
        new="    return list(dispatched.values())\n",
        tests=f"{_CLAIM}::test_claimed_calls_come_in_the_order_of_their_turns",
    ),
    Mutant(
        file="dialer/rules/pacing.py",
        name="what falls due at one later instant is claimed in no order",
        old="0.0, row.due_at, row.rank, row.id), row))",
        new="0.0, row.due_at, 0, row.id), row))",
        tests="tests/rules/test_pacing.py::test_what_falls_due_at_one_later_instant_is_ordered_by_rank",
    ),
    Mutant(
        file=_DISPATCH,
        name="the claim takes calls of a closed workspace",
        old="WHERE w.closed_at IS NULL AND (",
        new="WHERE (",
        tests=f"{_CLAIM}::test_nothing_is_claimed_for_a_workspace_that_is_closed",
    ),
    Mutant(
        file=_DISPATCH,
        name="dispatchers do not lock the workspaces that they claim for",
        old="        ORDER BY w.id FOR NO KEY UPDATE SKIP LOCKED",
        new="        ORDER BY w.id",
        tests=f"{_PACING}::test_two_dispatchers_together_start_no_more_in_any_second_than_the_pace",
    ),
    Mutant(
        file=_DISPATCH,
        name="a paused campaign's other calls are claimed beside the one that is forced",
        old="            AND (NOT o.is_paused OR (r.rank = 0",
        new="            AND (true OR (r.rank = 0",
        tests=f"{_CLAIM}::test_a_call_forced_past_a_pause_is_claimed_and_nothing_else_of_its_campaign",
    ),
    Mutant(
        file=_DISPATCH,
        name="contacts of a paused campaign are claimed beside the call that is forced",
        old="is not None and not capacity.queue.is_paused\n    ]",
        new="is not None\n    ]",
        tests=f"{_CLAIM}::test_a_call_forced_past_a_pause_is_claimed_and_nothing_else_of_its_campaign",
    ),
    Mutant(
        file=_DISPATCH,
        name="retries are claimed although they are stale",
        old="AND q.due_at <= o.until AND (q.not_after IS NULL OR q.not_after >= %(now)s)",
        new="AND q.due_at <= o.until",
        tests=f"{_CLAIM}::test_a_stale_retry_is_not_claimed",
    ),
    Mutant(
        file=_DISPATCH,
        name="the claim takes queued calls that are claimed already",
        old="AND q.status = 'queued' AND q.lease_until IS NULL\n            AND q.rank",
        new="AND q.status = 'queued'\n            AND q.rank",
        tests=f"{_CLAIM}::test_a_call_that_is_claimed_is_not_claimed_again",
    ),
    Mutant(
        file=_DISPATCH,
        name="first calls are claimed before they are due",
        old="AND w.state = 'waiting' AND w.due_at <= o.until",
        new="AND w.state = 'waiting'",
        tests=f"{_CLAIM}::test_a_contact_is_claimed_when_its_first_call_comes_near_and_not_before",
    ),
    Mutant(
        file=_DISPATCH,
        name="a contact with a queued call breaks the claim for everybody",
        old="SELECT FROM dialer_call q WHERE q.campaign_contact_id = w.id AND q.status = 'queued' OFFSET 0)",
        new="SELECT FROM dialer_call q WHERE false OFFSET 0)",
        tests=f"{_PIPELINE}::test_a_contact_that_waits_beside_a_queued_call_does_not_stop_the_claim",
    ),
    Mutant(
        file="dialer/calls/call_states.py",
        name="leases are released before they run out",
        old="WHERE lease_until <= %(now)s\n            ORDER BY lease_until",
        new="WHERE lease_until IS NOT NULL\n            ORDER BY lease_until",
        tests=f"{_CLAIM}::test_a_lease_holds_until_it_runs_out",
    ),
    Mutant(
        file=_DISPATCH,
        name="a claim takes more than it was asked for",
        old="        if len(starts) == limit:\n            break\n",
        new="",
        tests=f"{_PACING}::test_a_claim_takes_no_more_than_it_is_asked_for_and_passes_over_no_campaign",
    ),
    Mutant(
        file=_DISPATCH,
        name="what is claimed ahead starts at once",
        old="due_at=max(row.due_at, now), until=capacity.until",
        new="due_at=now, until=capacity.until",
        tests=f"{_CLAIM}::test_a_call_that_is_claimed_ahead_starts_in_its_own_second",
    ),
    Mutant(
        file=_DISPATCH,
        name="a promise takes a slot of its campaign's line instead of its own",
        old="[owner for owner in capacity.queue.owners if owner.id not in lines] + [lines[row.line_id]]",
        new="list(capacity.queue.owners) + [lines[row.line_id]]",
        tests=f"{_PACING}::test_a_promise_on_another_line_than_its_campaigns_takes_no_slot_of_the_campaigns_line",
    ),
    Mutant(
        file="dialer/calls/call_states.py",
        name="a lease ends when its call starts",
        old="lease_until = t.start_at + %(lease)s",
        new="lease_until = t.start_at",
        tests=f"{_PIPELINE}::test_a_lost_message_costs_the_lease_and_never_a_call",
    ),
    Mutant(
        file=_DISPATCH,
        name="a pace is forgotten from one claim to the next",
        old="    if budget.changed:\n",
        new="    if not budget.changed:\n",
        tests=f"{_PACING}::test_a_fifth_of_a_call_a_second_is_one_call_in_five_seconds",
    ),
    Mutant(
        file=_DISPATCH,
        name="a campaign's own caller id is not shown",
        old='campaign.caller_id or next(iter(parsed(campaign.caller_ids)), "")',
        new='next(iter(parsed(campaign.caller_ids)), "")',
        tests=f"{_CLAIM}::test_a_first_call_shows_the_campaigns_caller_id_else_the_first_of_its_line",
    ),
    Mutant(
        file=_ROOMS,
        name="calls that came in take slots",
        old="WHERE status IN ('dialing', 'ringing', 'in_progress') AND direction = 'outbound'",
        new="WHERE status IN ('dialing', 'ringing', 'in_progress')",
        tests="tests/dialer/dialing/test_inbound.py::test_an_inbound_call_takes_no_slot",
    ),
    Mutant(
        file=_ROOMS,
        name="calls that are claimed take no slots",
        old="            WHERE lease_until IS NOT NULL\n        ) AS taken",
        new="            WHERE false\n        ) AS taken",
        tests=f"{_PACING}::test_slots_are_held_by_claimed_and_by_live_calls_and_are_free_when_a_call_ends_or_a_lease_does",
    ),
    Mutant(
        file=_ROOMS,
        name="workers that fell behind are given ever more",
        old="most = min(limit, MAX_CLAIMED - late.get(queue.workspace_id, 0))",
        new="most = limit",
        tests=f"{_CLAIM}::test_workers_that_are_behind_are_given_no_more_than_so_many",
    ),
    Mutant(
        file=_ROOMS,
        name="calls are claimed for a line whose carrier is down",
        old="            AND (l.down_until IS NULL OR l.down_until <= %(now)s)\n",
        new="",
        tests=f"{_CLAIM}::test_a_campaign_whose_line_is_down_is_not_claimed_from_until_it_may_be_tried",
    ),
    Mutant(
        file=_ROOMS,
        name="a campaign is claimed from after its end",
        old="            AND (k.status = 'paused' OR k.end_at IS NULL OR k.end_at > %(now)s)\n",
        new="",
        tests=f"{_CLAIM}::test_a_campaign_whose_end_has_come_is_not_claimed_from",
    ),
    Mutant(
        file="dialer/setup/paces.py",
        name="a pace that was raised waits for the wait of the former",
        old='    run("forget_pace", "DELETE FROM dialer_pace WHERE owner_id = %(id)s", {"id": owner_id})\n',
        new="",
        tests=f"{_PACING}::test_a_pace_that_is_raised_holds_at_once_and_not_after_the_wait_of_the_former",
    ),
]
