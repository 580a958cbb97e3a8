"""Faults in contacts, imports and do-not-call."""

from tests.mutants.mutant import Mutant

_CONTACTS = "dialer/contacts/contacts.py"
_IMPORTS = "dialer/campaigns/imports.py"
_SEALED = "dialer/calls/hashed_numbers.py"
_SUPPRESSIONS = "dialer/contacts/suppressions.py"
_TESTS = "tests/dialer/contacts/test_contacts.py"
_IMPORT_TESTS = "tests/dialer/campaigns/test_imports.py"
_SUPPRESSION_TESTS = "tests/dialer/contacts/test_suppressions.py"
_DECISIONS = "tests/decisions/test_contacts_and_numbers.py"

_ERASURE = "dialer/retention/erasure.py"
_ERASURE_TESTS = "tests/dialer/retention/test_erasure.py"
_WALK = f"{_ERASURE_TESTS}::test_no_column_of_any_table_names_a_forgotten_contact"

_CLOSING_TESTS = "tests/dialer/retention/test_closing.py"

MUTANTS = [
    Mutant(
        file="dialer/retention/closing.py",
        name="a workspace is closed while people are on the phone",
        old="        if mine.filter(status__in=LIVE).exists():\n",
        new="        if mine.filter(status__in=LIVE, number=None).exists():\n",
        tests=f"{_CLOSING_TESTS}::test_a_workspace_is_not_closed_while_a_call_is_live",
    ),
    Mutant(
        file="dialer/retention/purging.py",
        name="a workspace is purged a day after it was closed",
        old="filter(closed_at__lte=now - KEPT)",
        new="filter(closed_at__lte=now - KEPT / 30)",
        tests=f"{_CLOSING_TESTS}::test_a_workspace_is_purged_thirty_days_after_it_was_closed_and_no_sooner",
    ),
    Mutant(
        file="dialer/api/report_urls.py",
        name="the report of a closed workspace is served",
        old=".get(pk=campaign_id, workspace__closed_at=None)",
        new=".get(pk=campaign_id)",
        tests=f"{_CLOSING_TESTS}::test_the_address_of_a_report_dies_with_its_workspace",
    ),
    Mutant(
        file=_ERASURE,
        name="texts that people wrote go on naming a forgotten contact",
        old="        _search_texts(contact.workspace_id, person)\n",
        new="",
        tests=_WALK,
    ),
    Mutant(
        file=_ERASURE,
        name="what comes late about a forgotten contact stays",
        old="        mine.update(person=None, searched_at=now, due_at=now + LATE)\n",
        new="        mine.update(person=None, searched_at=now, due_at=None, done_at=now)\n",
        tests=f"{_ERASURE_TESTS}::test_what_came_late_is_erased_a_day_later_and_then_nothing_is_left_to_do",
    ),
    Mutant(
        file="webhooks/redaction.py",
        name="arrays go on naming a forgotten contact",
        old="                body = body.replace(bytes(item.body), fresh[item.id])\n",
        new="                pass\n",
        tests=f"{_ERASURE_TESTS}::test_only_its_own_items_of_an_array_are_redacted",
    ),
    Mutant(
        file=_CONTACTS,
        name="a forgotten contact takes the number of another with it",
        old="        forgotten = [number for number in numbers if number not in others]\n",
        new="        forgotten = numbers\n",
        tests=f"{_ERASURE_TESTS}::test_a_number_that_another_contact_has_stays_where_it_is_written",
    ),
    Mutant(
        file=_CONTACTS,
        name="a contact on the phone is deleted",
        old="        if mine.filter(status__in=LIVE).exists():\n",
        new="        if mine.filter(status__in=LIVE, number=None).exists():\n",
        tests=f"{_TESTS}::test_a_contact_on_a_call_cannot_be_deleted",
    ),
    Mutant(
        file=_CONTACTS,
        name="what a deleted contact said is kept",
        old='    mine.update(number="", transcript=None, recording_url=None, analysis=None, metadata={}, force=None)\n',
        new='    mine.update(number="")\n',
        tests=f"{_TESTS}::test_a_deleted_contact_leaves_no_trace_of_who_it_was_and_keeps_its_suppression",
    ),
    Mutant(
        file=_CONTACTS,
        name="what carriers reported of a deleted contact is kept",
        old='    CarrierEvent.objects.filter(call_id__in=mine.values("pk")).update(facts={}, raw={})\n',
        new="",
        tests="tests/dialer/dialing/test_storing_reports.py"
        "::test_a_report_of_a_call_that_came_in_becomes_a_call_and_is_forgotten_with_its_contact",
    ),
    Mutant(
        file=_CONTACTS,
        name="the suppression of a deleted contact goes on naming its number",
        old="            hash_suppressions(workspace_id, number)\n",
        new="            pass\n",
        tests=f"{_TESTS}::test_a_deleted_contact_leaves_no_trace_of_who_it_was_and_keeps_its_suppression",
    ),
    Mutant(
        file=_CONTACTS,
        name="nobody can see who deleted a contact",
        old='        record(actor, [_audited(contact, "delete", reason=reason)], now=now)\n',
        new="",
        tests=f"{_TESTS}::test_the_audit_says_who_deleted_a_contact_and_names_neither_name_nor_number",
    ),
    Mutant(
        file=_CONTACTS,
        name="the oldest contact with a number is found",
        old='filter(phone__in=phones).order_by("id")',
        new='filter(phone__in=phones).order_by("-id")',
        tests=f"{_TESTS}::test_the_newest_contact_with_a_number_is_found_else_one_is_made",
    ),
    Mutant(
        file=_CONTACTS,
        name="a changed zone leaves what was promised on the old clock",
        old="    listener().contacts_rezoned(contact_ids, now=now)\n",
        new="",
        tests="tests/callbacks/test_local_times.py::test_a_new_zone_moves_the_promise_to_the_time_that_was_said",
    ),
    Mutant(
        file=_CONTACTS,
        name="an import that changes a zone leaves what was promised on the old clock",
        old="                self.moved.add(found.id)\n",
        new="                pass\n",
        tests="tests/callbacks/test_local_times.py::test_an_import_that_changes_the_zone_moves_it",
    ),
    Mutant(
        file=_CONTACTS,
        name="two that take in the same number at once make two contacts",
        old='        "SELECT pg_advisory_xact_lock(k) FROM',
        new='        "SELECT k FROM',
        tests="tests/concurrency/test_taking_in.py::test_a_contact_that_comes_in_twice_at_once_is_made_once",
    ),
    Mutant(
        file=_IMPORTS,
        name="two workers read the same import",
        old='            Import.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))\n'
        "            .filter(pk=import_id, status__in=_OPEN)\n",
        new="            Import.objects.filter(pk=import_id, status__in=_OPEN)\n",
        tests="tests/concurrency/test_taking_in.py::test_a_second_reader_of_an_import_leaves_it_to_the_first",
    ),
    Mutant(
        file=_IMPORTS,
        name="an import that a worker is at is given to another",
        old="filter(Q(lease_until=None) | Q(lease_until__lte=now), status__in=_OPEN)",
        new="filter(status__in=_OPEN)",
        tests=f"{_IMPORT_TESTS}::test_what_a_killed_worker_had_not_committed_is_read_again_and_nothing_twice",
    ),
    Mutant(
        file=_IMPORTS,
        name="an import whose worker was killed is never read on",
        old="filter(Q(lease_until=None) | Q(lease_until__lte=now), status__in=_OPEN)",
        new="filter(lease_until=None, status__in=_OPEN)",
        tests=f"{_IMPORT_TESTS}::test_what_a_killed_worker_had_not_committed_is_read_again_and_nothing_twice",
    ),
    Mutant(
        file=_IMPORTS,
        name="an upload that goes on is given up",
        old="created_at__lte=now - UPLOAD_LASTS)\n",
        new="created_at__lte=now)\n",
        tests=f"{_IMPORT_TESTS}::test_an_upload_that_was_broken_off_fails_after_six_hours",
    ),
    Mutant(
        file=_IMPORTS,
        name="the lines of problems begin anew with every batch",
        old="        line=source.lines_read + row.line + 1,\n",
        new="        line=row.line + 2,\n",
        tests=f"{_IMPORT_TESTS}::test_problems_of_a_later_batch_have_the_lines_of_the_file",
    ),
    Mutant(
        file=_IMPORTS,
        name="the rows of a file are kept after it was read",
        old="        ImportPart.objects.filter(source=source).delete()\n        ImportPart.objects.create(",
        new="        ImportPart.objects.filter(source=source, number=0).delete()\n        ImportPart.objects.create(",
        tests=f"{_IMPORT_TESTS}::test_a_large_file_is_kept_in_parts_and_read_in_batches_over_their_borders",
    ),
    Mutant(
        file=_IMPORTS,
        name="contacts of a file for a campaign are not put into it",
        old="    if source.campaign_id is None:\n        return set()\n",
        new="    if source.campaign_id is not None:\n        return set()\n    if source.campaign_id is None:\n"
        "        return set()\n",
        tests=f"{_IMPORT_TESTS}::test_contacts_of_an_import_with_a_campaign_are_put_into_it_each_once",
    ),
    Mutant(
        file=_IMPORTS,
        name="a row that stands twice in a file is counted good twice",
        old="                new.discard(answer.contact.id)\n",
        new="",
        tests=f"{_IMPORT_TESTS}::test_contacts_of_an_import_with_a_campaign_are_put_into_it_each_once",
    ),
    Mutant(
        file=_IMPORTS,
        name="a file is taken in for a campaign that has ended",
        old="        if campaign.status in CAMPAIGN_OVER:\n",
        new="        if campaign.status is None:\n",
        tests=f"{_IMPORT_TESTS}::test_an_import_into_a_campaign_that_ends_meanwhile_fails_and_says_why",
    ),
    Mutant(
        file=_SEALED,
        name="a hashed number is known by its start",
        old=".filter(phone__in=forms_of([phone]))",
        new=".filter(phone__in=[phone])",
        tests=f"{_TESTS}::test_a_deleted_contact_leaves_no_trace_of_who_it_was_and_keeps_its_suppression",
    ),
    Mutant(
        file=_SEALED,
        name="a number is hashed without the key",
        old="hashlib.sha256((number_key() + phone).encode()).hexdigest()",
        new="hashlib.sha256(phone.encode()).hexdigest()",
        tests="tests/dialer/dialing/test_placing.py::test_a_number_that_is_held_by_its_hash_is_not_dialled",
    ),
    Mutant(
        file=_SUPPRESSIONS,
        name="a suppression leaves queued calls where they are",
        old="    withdrawn = calls.withdraw_numbers(workspace_id, wanted, why=Withdrawal.SUPPRESSED, now=now)\n",
        new="    withdrawn: list[UUID] = []\n",
        tests=f"{_DECISIONS}::test_one_number_on_two_contacts_is_allowed_and_lock_limits_and_suppression_go_by_number",
    ),
    Mutant(
        file=_SUPPRESSIONS,
        name="contacts that wait for their first call go on waiting after a suppression",
        old="    _finish_waiting(workspace_id, wanted, now=now)\n",
        new="",
        tests=f"{_SUPPRESSION_TESTS}::test_a_contact_that_waits_for_its_first_call_comes_to_its_end",
    ),
    Mutant(
        file=_SUPPRESSIONS,
        name="a suppression ends the waiting of every workspace's contacts",
        old="JOIN dialer_campaigncontact k ON k.contact_id = p.id AND k.state = 'waiting'\n"
        "        WHERE p.workspace_id = %(workspace)s AND p.phone",
        new="JOIN dialer_campaigncontact k ON k.contact_id = p.id AND k.state = 'waiting'\n        WHERE p.phone",
        tests=f"{_SUPPRESSION_TESTS}::test_a_number_is_stopped_in_its_workspace_and_in_no_other",
    ),
    Mutant(
        file=_SUPPRESSIONS,
        name="a suppression is not told",
        old="    record_events(events.contacts_suppressed(added, at=now), now=now)\n",
        new="",
        tests=f"{_SUPPRESSION_TESTS}::test_a_suppression_is_told_once_however_often_it_is_asked_for",
    ),
    Mutant(
        file=_SUPPRESSIONS,
        name="a suppression does not wait for a call that is being handed over",
        old="        lock_numbers((workspace_id, phone) for phone in phones)\n        done =",
        new="        done =",
        tests=f"{_SUPPRESSION_TESTS}::test_a_suppression_waits_for_whoever_holds_the_number",
    ),
    Mutant(
        file=_SUPPRESSIONS,
        name="a number that is held by its hash is suppressed twice",
        old="    missing = sorted(set(wanted) - {forms[form] for form in held})\n",
        new="    missing = sorted(set(wanted))\n",
        tests=f"{_DECISIONS}"
        "::test_a_number_that_is_held_by_its_hash_is_known_when_it_is_suppressed_again_and_can_be_lifted",
    ),
    Mutant(
        file=_SUPPRESSIONS,
        name="nobody can see who suppressed a number",
        old='        record(actor, [_change(entry, "suppress", why or reason) for entry in done.added], now=now)\n',
        new="",
        tests=f"{_SUPPRESSION_TESTS}::test_the_audit_says_who_suppressed_a_number_and_who_lifted_it_and_why",
    ),
    Mutant(
        file=_SUPPRESSIONS,
        name="nobody can see who lifted a suppression",
        old='            record(actor, [_change(suppression, "lift", reason)], now=now)\n',
        new="            pass\n",
        tests=f"{_SUPPRESSION_TESTS}::test_the_audit_says_who_suppressed_a_number_and_who_lifted_it_and_why",
    ),
]
