"""Faults in what people read: how far campaigns have come, counts, filters, settings in force, and what works."""

from tests.mutants.mutant import Mutant

_PROGRESS = "tests/api/test_campaign_contacts.py"
_PERIODS = "tests/api/test_periods.py"
_ANALYTICS = "tests/callbacks/test_analytics.py"
_SETTINGS = "tests/callbacks/test_effective_settings.py"

MUTANTS = [
    Mutant(
        file="dialer/campaigns/progress.py",
        name="a call that was held says no more why it waits",
        old="    return chain.held_reason in set(Waits) or (chain.due_at is not None and chain.due_at <= now)\n",
        new="    return chain.due_at is not None and chain.due_at <= now\n",
        tests=f"{_PROGRESS}::test_a_first_call_waits_for_the_reason_that_the_check_before_dialling_gives",
    ),
    Mutant(
        file="dialer/campaigns/progress.py",
        name="contacts of a draft are said to wait for the end of a pause",
        old="    return campaign.status != CampaignStatus.DRAFT and (",
        new="    return (",
        tests=f"{_PROGRESS}::test_a_first_call_that_is_not_due_waits_for_nothing_and_neither_does_a_draft",
    ),
    Mutant(
        file="dialer/campaigns/report.py",
        name="the lines of a report are as long as their attempts",
        old="cells + [None] * (len(header) - len(cells))",
        new="cells",
        tests="tests/dialer/campaigns/test_report.py::test_every_line_of_a_report_has_as_many_cells_as_its_header",
    ),
    Mutant(
        file="dialer/contacts/suppressions.py",
        name="a number that is suppressed by its hash is shown as free",
        old="if phone for form in forms_of([phone])}",
        new="if phone for form in [phone]}",
        tests="tests/api/test_contacts.py::test_a_number_that_is_suppressed_by_its_hash_is_shown_as_suppressed",
    ),
    Mutant(
        file="dialer/api/shapes.py",
        name="a name that fits too many contacts is answered in part",
        old="    if len(found) > MOST_FOUND:\n",
        new="    if not matching:\n",
        tests=f"{_PERIODS}::test_a_name_that_fits_too_many_contacts_is_refused_instead_of_answered_in_part",
    ),
    Mutant(
        file="dialer/workspaces/api/periods.py",
        name="a list by time is ordered by id, which no index of times serves",
        old='        if {"since", "until"} & self.request.query_params.keys():\n',
        new="        if False:\n",
        tests=f"{_PERIODS}::test_a_period_and_the_order_of_ids_do_not_go_together",
    ),
    Mutant(
        file="callbacks/queue_views.py",
        name="other workspaces' callbacks are counted",
        old="                WHERE b.workspace_id = %(workspace)s AND b.status = 'pending'\n",
        new="                WHERE b.status = 'pending'\n",
        tests=f"{_PERIODS}::test_queues_are_counted_as_they_are_listed",
    ),
    Mutant(
        file="callbacks/api/bulk.py",
        name="a bulk job keeps the number of a contact",
        old='_OF_LISTS_ALONE = ("status", "phone", "name")',
        new='_OF_LISTS_ALONE = ("status",)',
        tests=f"{_PERIODS}::test_a_filter_of_a_bulk_action_names_nobody",
    ),
    Mutant(
        file="callbacks/analytics.py",
        name="calls that we cancelled lower the rate",
        old=" AND c.outcome <> 'cancelled'\n",
        new="\n",
        tests=f"{_ANALYTICS}::test_calls_that_we_stopped_ourselves_did_not_end_or_came_in_count_nowhere",
    ),
    Mutant(
        file="callbacks/analytics.py",
        name="one of several possible time zones is taken for the contact's",
        old=" AND jsonb_array_length(p.zones) = 1\n",
        new="\n",
        tests=f"{_ANALYTICS}::test_a_contact_whose_clock_nobody_knows_is_counted_apart",
    ),
    Mutant(
        file="callbacks/analytics.py",
        name="gaps that began before the period are lost",
        old="        since_previous=scope.since - LONGEST_GAP,\n",
        new="        since_previous=scope.since,\n",
        tests=f"{_ANALYTICS}::test_gaps_are_measured_from_the_end_of_the_previous_attempt_even_if_that_was_before_the_period",
    ),
    Mutant(
        file="callbacks/analytics.py",
        name="a promise that waits is broken",
        old="broken=row.total - row.kept - row.late - row.handled - row.withdrawn - row.waiting,",
        new="broken=row.total - row.kept - row.late - row.handled - row.withdrawn,",
        tests=f"{_ANALYTICS}::test_a_promise_is_not_broken_before_its_fifteen_minutes_are_over_and_not_counted_before_its_time",
    ),
    Mutant(
        file="callbacks/effective_settings.py",
        name="the largest pace is shown as the one that applies",
        old='    value, level = min(limits, default=(None, "default"))\n',
        new='    value, level = max(limits, default=(None, "default"))\n',
        tests=f"{_SETTINGS}::test_each_setting_comes_from_the_most_specific_level_that_has_it",
    ),
]
