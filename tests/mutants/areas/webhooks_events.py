"""Faults in what is recorded for receivers: events and their order, arrays, the feed, and who hears of what."""

from tests.mutants.mutant import Mutant

_AUDIENCE = "tests/webhooks/test_audience.py"
_BATCHES = "tests/webhooks/test_batches.py"
_FEED = "tests/webhooks/test_feed.py"
_HIDDEN = "tests/webhooks/test_hidden_endpoints.py"
_OUTBOX = "tests/webhooks/test_outbox.py"

MUTANTS = [
    Mutant(
        file="webhooks/outbox.py",
        name="an event is recorded although its fact may be taken back",
        old="    if not connection.in_atomic_block:\n        raise NotInTransaction\n"
        "    return _record(events, now=now, endpoint_id=None)",
        new="    return _record(events, now=now, endpoint_id=None)",
        tests=f"{_OUTBOX}::test_recording_outside_of_a_transaction_is_refused",
    ),
    Mutant(
        file="webhooks/outbox.py",
        name="an event with a unique key is told twice",
        old="ON CONFLICT (workspace_id, unique_key) WHERE unique_key IS NOT NULL DO NOTHING",
        new="ON CONFLICT (id) DO NOTHING",
        tests=f"{_OUTBOX}::test_two_writers_of_one_unique_key_record_one_event_and_both_learn_its_id",
    ),
    Mutant(
        file="webhooks/outbox.py",
        name="an event that is told already leaves a gap in its chain",
        old="    _give_back(wanted - Counter(event.chain_id for _, event in new if event.chain_id))\n",
        new="",
        tests=f"{_OUTBOX}::test_an_event_with_a_unique_key_is_recorded_once_and_leaves_no_gap",
    ),
    Mutant(
        file="webhooks/outbox.py",
        name="the second of two writers learns an id that no event has",
        old="        known |= _find_recorded(events)",
        new="        pass",
        tests=f"{_OUTBOX}::test_two_writers_of_one_unique_key_record_one_event_and_both_learn_its_id",
    ),
    Mutant(
        file="webhooks/audience.py",
        name="every workspace's endpoints hear of an event",
        old="FROM given g JOIN webhooks_endpoint p ON p.workspace_id = g.workspace_id\n",
        new="FROM given g JOIN webhooks_endpoint p ON true\n",
        tests=f"{_OUTBOX}::test_each_endpoint_that_hears_an_event_gets_one_delivery",
    ),
    Mutant(
        file="webhooks/audience.py",
        name="an endpoint that was deleted hears of events",
        old="p.purpose = 'subscription' AND p.deleted_at IS NULL AND",
        new="p.purpose = 'subscription' AND",
        tests=f"{_OUTBOX}::test_each_endpoint_that_hears_an_event_gets_one_delivery",
    ),
    Mutant(
        file="webhooks/outbox.py",
        name="webhooks given with a call are told beside subscriptions",
        old="endpoint_id is None and audience.is_for_subscriptions(event.type, event.inline_webhooks)",
        new="endpoint_id is None",
        tests=f"{_OUTBOX}::test_inline_webhooks_replace_every_subscription_even_where_they_are_empty",
    ),
    Mutant(
        file="webhooks/audience.py",
        name="an endpoint of a persona hears of every persona",
        old="ELSE p.scope_id = g.persona_id END",
        new="ELSE true END",
        tests=f"{_OUTBOX}::test_a_scoped_endpoint_gets_only_events_that_carry_its_persona_or_campaign",
    ),
    Mutant(
        file="webhooks/audience.py",
        name="the URLs of a campaign hear of other campaigns",
        old="ON p.scope_id = g.campaign_id AND p.purpose = 'status'",
        new="ON p.workspace_id = g.workspace_id AND p.purpose = 'status'",
        tests=f"{_HIDDEN}::test_the_urls_of_a_campaign_hear_their_event_of_that_campaign_beside_whatever_else_hears_it",
    ),
    Mutant(
        file="webhooks/audience.py",
        name="a webhook given with a call hears of what it does not list",
        old=""".isdisjoint(entry["events"])
    }""",
        new=""".isdisjoint([*entry["events"], event])
    }""",
        tests=f"{_HIDDEN}::test_events_of_a_call_reach_the_entries_that_list_them_and_no_subscription",
    ),
    Mutant(
        file="webhooks/outbox.py",
        name="a test counts as a real event",
        old='            "is_test": endpoint_id is not None,',
        new='            "is_test": False,',
        tests=f"{_FEED}::test_the_feed_is_of_one_workspace_and_holds_no_tests",
    ),
    Mutant(
        file="webhooks/outbox.py",
        name="what is held back joins the next array",
        old="ready_at=event.batch.ready_at or now,",
        new="ready_at=now,",
        tests=f"{_BATCHES}::test_an_item_that_is_held_back_joins_no_array_before_its_time",
    ),
    Mutant(
        file="webhooks/outbox.py",
        name="chains are locked in the order in which their events were given",
        old="    ORDER BY t.chain_id\n",
        new="",
        tests=f"{_OUTBOX}::test_chains_are_locked_in_the_order_of_their_ids",
    ),
    Mutant(
        file="webhooks/batches.py",
        name="a full array waits like any other",
        old="HAVING count(*) = batch_size OR min(ready_at)",
        new="HAVING min(ready_at)",
        tests=f"{_BATCHES}::test_an_array_that_is_full_waits_for_nobody_and_the_rest_goes_on_waiting",
    ),
    Mutant(
        file="webhooks/batches.py",
        name="an array is frozen before its first item has waited",
        old=" OR min(ready_at) + wait <= %(now)s",
        new=" OR min(ready_at) <= %(now)s",
        tests=f"{_BATCHES}::test_items_wait_for_others_for_the_time_that_the_endpoint_gives_them_from_the_first_on",
    ),
    Mutant(
        file="webhooks/batches.py",
        name="two processes freeze one buffer",
        old="[0].is_mine:\n            return 0",
        new="[0].is_mine:\n            pass",
        tests=f"{_BATCHES}::test_one_process_freezes_at_a_time",
    ),
    Mutant(
        file="webhooks/batches.py",
        name="what is let go keeps waiting for its old time",
        old="update(body=encode(render(found)), ready_at=now)",
        new="update(body=encode(render(found)))",
        tests=f"{_BATCHES}::test_a_held_item_is_let_go_with_another_content_once",
    ),
    Mutant(
        file="webhooks/batches.py",
        name="a batch that is under way is sent item by item beside it",
        old="        if batch.status not in (DeliveryStatus.FAILED, DeliveryStatus.SUPPRESSED):\n"
        '            raise TransitionConflict(what="the batch", from_=batch.status, to="sent item by item")\n',
        new="",
        tests=f"{_BATCHES}::test_only_a_batch_that_was_not_taken_is_sent_item_by_item",
    ),
    Mutant(
        file="webhooks/batches.py",
        name="nobody is named who sent a batch item by item",
        old="        record(actor, [change], now=now)\n",
        new="",
        tests=f"{_BATCHES}::test_a_batch_that_failed_is_sent_item_by_item_under_the_ids_of_the_events",
    ),
    Mutant(
        file="webhooks/feed.py",
        name="the feed passes over what commits late",
        old="        AND e.recorded_in < pg_snapshot_xmin(pg_current_snapshot())::text::bigint\n",
        new="",
        tests=f"{_FEED}::test_an_event_that_commits_late_is_not_passed_over",
    ),
    Mutant(
        file="webhooks/feed.py",
        name="the feed shows tests",
        old="        AND NOT e.is_test\n",
        new="",
        tests=f"{_FEED}::test_the_feed_is_of_one_workspace_and_holds_no_tests",
    ),
    Mutant(
        file="webhooks/feed.py",
        name="the feed shows the last event of a page once more",
        old="(e.recorded_in, e.id) > (%(recorded_in)s",
        new="(e.recorded_in, e.id) >= (%(recorded_in)s",
        tests=f"{_FEED}::test_pages_follow_one_another_without_gap_or_repeat",
    ),
    Mutant(
        file="webhooks/feed.py",
        name="the feed promises more where its last page is full",
        old="has_more=len(rows) > limit)",
        new="has_more=len(rows) >= limit)",
        tests=f"{_FEED}::test_pages_follow_one_another_without_gap_or_repeat",
    ),
    Mutant(
        file="webhooks/feed.py",
        name="the feed shows other workspaces",
        old="WHERE e.workspace_id = %(workspace)s AND (e.recorded_in",
        new="WHERE (e.recorded_in",
        tests=f"{_FEED}::test_the_feed_is_of_one_workspace_and_holds_no_tests",
    ),
    Mutant(
        file="webhooks/audience.py",
        name="receivers of other workspaces are listed as such that might hear",
        old="Endpoint.objects.in_workspace(workspace_id).filter(asked",
        new="Endpoint.objects.filter(asked",
        tests=f"{_AUDIENCE}::test_receivers_of_other_workspaces_are_not_named",
    ),
    Mutant(
        file="webhooks/audience.py",
        name="endpoints that were deleted are listed as such that might hear",
        old="filter(asked, deleted_at=None)",
        new="filter(asked)",
        tests=f"{_AUDIENCE}::test_each_that_does_not_hear_is_told_of_with_its_reason",
    ),
    Mutant(
        file="webhooks/audience.py",
        name="a webhook given with a call is judged by what its endpoint once listed",
        old="for events in [listed.get(row.id, row.events)]",
        new="for events in [row.events]",
        tests="tests/api/test_audience.py::test_webhooks_of_a_call_stand_beside_what_they_replace",
    ),
    Mutant(
        file="webhooks/hidden_endpoints.py",
        name="webhooks that differ in their secret share an endpoint",
        old="        said = json.dumps(self.columns, sort_keys=True)",
        new='        said = json.dumps({**self.columns, "secret": None}, sort_keys=True)',
        tests=f"{_HIDDEN}::test_webhooks_that_differ_do_not",
    ),
    Mutant(
        file="webhooks/hidden_endpoints.py",
        name="webhooks of a call are sent to another workspace's endpoint",
        old="Endpoint.objects.in_workspace(workspace_id).filter(fingerprint__in",
        new='Endpoint.objects.order_by("-id").filter(fingerprint__in',
        tests=f"{_HIDDEN}::test_webhooks_that_differ_do_not",
    ),
    Mutant(
        file="webhooks/hidden_endpoints.py",
        name="a webhook that signs may come without its secret",
        old='    if fields["signing_method"] != SigningMethod.NONE and fields.get("secret") is None:',
        new="    if False:",
        tests=f"{_HIDDEN}::test_every_fault_of_every_webhook_is_named_by_its_path",
    ),
    Mutant(
        file="webhooks/hidden_endpoints.py",
        name="one that was given up keeps its open circuit when it is named again",
        old="failing_since=None, failure_run=0, trips=0, open_until=None",
        new="failing_since=None",
        tests=f"{_HIDDEN}::test_one_that_was_given_up_gets_another_chance_when_somebody_names_it_again",
    ),
    Mutant(
        file="webhooks/hidden_endpoints.py",
        name="a call may bring as many webhooks as it likes",
        old="    if len(given) > MOST_INLINE:",
        new="    if len(given) > 100 * MOST_INLINE:",
        tests="tests/api/test_calls.py::test_webhooks_of_a_call_that_are_no_list_of_a_few_objects_are_refused",
    ),
    Mutant(
        file="webhooks/hidden_endpoints.py",
        name="the URLs of a campaign are not signed",
        old="SigningMethod.HMAC_SHA256 if secret else SigningMethod.NONE",
        new="SigningMethod.NONE",
        tests="tests/decisions/test_formats.py::TestStatusUrls::test_each_url_hears_its_own_and_nothing_else",
    ),
]
