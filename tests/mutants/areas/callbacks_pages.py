"""Faults in the routes and pages of the callback queue, and in what previews say would happen."""

from tests.mutants.mutant import Mutant

_ACCESS = "tests/admin/test_access.py"
_CALLS = "tests/admin/test_calls.py"
_PREVIEW = "tests/api/test_preview.py"
_PREVIEWS = "tests/admin/test_previews.py"
_QUEUE = "tests/admin/test_queue.py"
_QUEUE_VERBS = "tests/admin/test_queue_verbs.py"
_ROUTES = "tests/api/test_callbacks.py"
_VERBS = "tests/api/test_verbs.py"

MUTANTS = [
    Mutant(
        file="callbacks/preview.py",
        name="a preview forgets the calls that it imagined before",
        old="        ledger.append(Handed(at=at, campaign_id=None))\n",
        new="",
        tests=f"{_PREVIEW}::test_a_campaigns_preview_is_by_its_schedule_zone_policy_limits_and_line",
    ),
    Mutant(
        file="callbacks/preview.py",
        name="a preview uses up no retry",
        old="ended_at=at, used=number - 1)",
        new="ended_at=at, used=0)",
        tests=f"{_PREVIEW}::test_preview_gives_the_answers_of_the_independent_model",
    ),
    Mutant(
        file="callbacks/preview.py",
        name="a preview ignores how long a line rings",
        old="        ring_timeout=question.ring_timeout,\n",
        new="        ring_timeout=RING_TIMEOUT,\n",
        tests=f"{_PREVIEW}::test_a_campaigns_preview_leaves_its_line_the_time_to_ring",
    ),
    Mutant(
        file="callbacks/questions.py",
        name="a preview ignores the limits of its campaign",
        old="[workspace.contact_limits, campaign.contact_limits if campaign else None]",
        new="[workspace.contact_limits, None]",
        tests=f"{_PREVIEWS}::test_the_limits_of_the_campaign_are_kept_in_its_preview",
    ),
    Mutant(
        file="callbacks/questions.py",
        name="a preview takes an archived or any other policy for the default",
        old="filter(is_default=True, archived_at=None).first()",
        new="first()",
        tests=f"{_PREVIEW}::test_only_the_default_policy_stands_behind_a_question",
    ),
    Mutant(
        file="callbacks/questions.py",
        name="a campaign's policy is left out of its preview",
        old="        policy = campaign.retry_policy\n",
        new="        policy = None\n",
        tests=f"{_PREVIEW}::test_a_campaigns_preview_is_by_its_schedule_zone_policy_limits_and_line",
    ),
    Mutant(
        file="callbacks/api/views.py",
        name="a key that may not force forces",
        old='        if not reaches(self.request.key, "admin"):',
        new="        if False:",
        tests=f"{_ROUTES}::TestMaking::test_force_needs_an_admin_key_and_a_reason",
    ),
    Mutant(
        file="callbacks/api/views.py",
        name="the queue is shown with the newest first",
        old='return "scheduled_at" if "queue" in self.request.query_params else super().default_ordering()',
        new="return super().default_ordering()",
        tests=f"{_ROUTES}::TestList::test_queues_show_pending_callbacks_by_urgency_in_the_order_of_their_times",
    ),
    Mutant(
        file="callbacks/api/views.py",
        name="another workspace's callback is shown after an action",
        old="            Callback.objects.in_workspace(self.request.workspace_id).select_related(*SHOWN).get",
        new="            Callback.objects.select_related(*SHOWN).get",
        tests=f"{_ROUTES}::test_another_workspaces_rows_are_not_found",
    ),
    Mutant(
        file="callbacks/api/views.py",
        name="a time that cannot be promised is an error of ours",
        old="    except InvalidTime as refused:",
        new="    except ZeroDivisionError as refused:",
        tests="tests/api/test_bad_times.py::test_a_time_that_is_no_instant_or_past_or_too_far_ahead_is_refused",
    ),
    Mutant(
        file="callbacks/api/calls.py",
        name="a voice agent's request counts as an operator's",
        old="type=CallbackType.CUSTOMER_REQUESTED,",
        new="type=list(CallbackType)[-1],",
        tests=f"{_ROUTES}::TestRequestCallback::test_a_voice_agent_promises_the_callback_that_the_contact_asks_for",
    ),
    Mutant(
        file="callbacks/api/calls.py",
        name="a call is called back by force without an admin key's leave",
        old="                force=self.force(given),\n",
        new="",
        tests=f"{_VERBS}::TestNeedsAPerson::test_to_call_back_may_be_forced",
    ),
    Mutant(
        file="callbacks/bulk.py",
        name="a job takes callbacks that its action cannot be done to",
        old="        mine = possible(callbacks, order.action).filter(",
        new="        mine = callbacks.filter(",
        tests=f"{_VERBS}::TestBulkByFilter::test_only_what_the_action_can_be_done_to_is_meant",
    ),
    Mutant(
        file="callbacks/api/bulk.py",
        name="a dry run over a filter is done",
        old='            dry_run=given["dry_run"],\n',
        new="",
        tests=f"{_VERBS}::TestBulkByFilter::test_a_dry_run_says_what_would_change_and_changes_nothing",
    ),
    Mutant(
        file="callbacks/api/bulk.py",
        name="an action takes fields of another",
        old="            if name in attrs and name not in takes\n",
        new="            if False\n",
        tests=f"{_VERBS}::TestBulkByFilter::test_a_bad_value_is_refused_by_the_path_of_its_field",
    ),
    Mutant(
        file="callbacks/api/bulk.py",
        name="a job without a filter takes everything",
        old="        if not attrs:\n            raise",
        new="        if attrs is None:\n            raise",
        tests=f"{_VERBS}::TestBulkByFilter::test_a_bad_value_is_refused_by_the_path_of_its_field",
    ),
    Mutant(
        file="callbacks/refusals.py",
        name="a refusal does not name the next time that is permitted",
        old="written(self.next_opening) if self.next_opening else None}",
        new="None}",
        tests=f"{_ROUTES}::TestActions::test_reschedule_outside_the_window_names_the_next_permitted_time",
    ),
    Mutant(
        file="callbacks/refusals.py",
        name="a conflict does not name the callback that is pending",
        old='        return {"callback_id": self.callback_id}',
        new="        return {}",
        tests=f"{_ROUTES}::TestMaking::test_a_second_one_is_a_conflict_that_names_the_first_and_replaces_a_retry_if_asked",
    ),
    Mutant(
        file="callbacks/api/serializers.py",
        name="a check may be forced without a reason",
        old='        if attrs.get("force") and not attrs["reason"]:',
        new='        if attrs.get("force") and attrs["reason"] is None:',
        tests=f"{_VERBS}::TestForce"
        "::test_without_an_admin_key_it_is_forbidden_and_without_a_reason_a_field_is_at_fault",
    ),
    Mutant(
        file="callbacks/api/serializers.py",
        name="a time is shown on the workspace's clock for the contact's",
        old='ZoneInfo(callback.time_zone or "UTC")',
        new='ZoneInfo(self.context["time_zone"])',
        tests=f"{_ROUTES}::TestList::test_a_row_tells_everything_that_an_operator_needs",
    ),
    Mutant(
        file="callbacks/api/serializers.py",
        name="what has just come due is shown as overdue",
        old="self._late(callback) > GRACE.total_seconds()",
        new="self._late(callback) > 0",
        tests=f"{_ROUTES}::TestList::test_what_has_just_come_due_is_late_and_not_yet_overdue",
    ),
    Mutant(
        file="callbacks/admin/queue.py",
        name="the queue opens on a tab without rows",
        old="next((queue for queue in QUEUES if counts[queue]), ALL_PENDING)",
        new="ALL_PENDING",
        tests=f"{_QUEUE}::test_the_queue_opens_on_the_most_urgent_tab_that_has_rows",
    ),
    Mutant(
        file="callbacks/admin/queue.py",
        name="what is over offers what pending rows take",
        old="if row is not None and row.status in verb.from_]",
        new="if row is not None and verb.from_]",
        tests=f"{_QUEUE_VERBS}::test_a_page_offers_what_the_state_of_its_callback_takes",
    ),
    Mutant(
        file="callbacks/admin/queue.py",
        name="a search for a number finds every workspace's contact",
        old="queryset.filter(contact_id__in=found_by(request, wanted))",
        new="queryset",
        tests=f"{_QUEUE}::test_search_finds_words_of_a_name_and_whole_numbers",
    ),
    Mutant(
        file="callbacks/admin/tabs.py",
        name="the history shows what is pending",
        old="            return rows.exclude(status=CallbackStatus.PENDING.value)",
        new="            return rows",
        tests=f"{_QUEUE}::test_history_shows_what_is_over_and_no_tab_shows_it_else",
    ),
    Mutant(
        file="callbacks/admin/forms.py",
        name="an operator who may not force forces",
        old='            if self.data.get("force"):\n                # Our page does not offer the field; a request '
        "that sends it anyway is refused, not silently ignored.\n                raise PermissionDenied\n"
        '            del self.fields["force"]',
        new="            assert self.fields",
        tests=f"{_QUEUE}::test_force_needs_a_reason_and_the_permission",
    ),
    Mutant(
        file="callbacks/admin/forms.py",
        name="a time on the operator's clock is read on the contact's",
        old='zone_of(row) if self.cleaned_data["clock"] == self.THEIRS else operator_zone().key',
        new="zone_of(row)",
        tests=f"{_QUEUE}::test_a_time_is_read_on_the_clock_that_was_chosen",
    ),
    Mutant(
        file="callbacks/admin/forms.py",
        name="a call is promised to a contact of another workspace",
        old="        rows = Contact.objects.visible_to(self.request.user, _MAY_PROMISE).filter(deleted_at=None)",
        new="        rows = Contact.objects.filter(deleted_at=None)",
        tests=f"{_QUEUE}::test_nobody_promises_calls_to_contacts_of_other_workspaces",
    ),
    Mutant(
        file="callbacks/admin/many.py",
        name="a job over the history takes pending callbacks",
        old="        return bulk.possible(rows, action.removesuffix(_SUFFIX))",
        new="        return rows",
        tests=f"{_QUEUE_VERBS}::test_a_job_over_the_history_takes_what_can_be_taken_back",
    ),
    Mutant(
        file="callbacks/admin/many.py",
        name="the history offers every action",
        old='if (name == f"undo{_SUFFIX}") is is_history}',
        new="if name or is_history}",
        tests=f"{_QUEUE_VERBS}::test_in_the_history_only_undo_is_there_for_many",
    ),
    Mutant(
        file="dialer/workspaces/roles.py",
        name="viewers stop jobs",
        old='"view_callback view_bulkaction"',
        new='"view_callback view_bulkaction change_bulkaction"',
        tests=f"{_QUEUE_VERBS}::test_a_job_can_be_stopped_and_strangers_see_none_of_it",
    ),
    Mutant(
        file="dialer/workspaces/admin/jobs.py",
        name="a job that is done is asked about for ever",
        old='"is_under_way": row.status == _RUNNING,',
        new='"is_under_way": True,',
        tests=f"{_QUEUE_VERBS}::test_all_that_the_list_shows_is_done_by_a_job_that_tells_how_far_it_is",
    ),
    Mutant(
        file="callbacks/admin/calls.py",
        name="a call that a machine took offers no correction",
        old='return shown | {"was_a_person"} if is_taken_for_a_machine else shown',
        new="return shown",
        tests=f"{_CALLS}::test_a_call_offers_the_verbs_that_its_state_takes",
    ),
    Mutant(
        file="callbacks/admin/calls.py",
        name="a call needs nobody and offers to be called back",
        old='        if "mark_handled" in shown:\n',
        new="        if True:\n",
        tests=f"{_CALLS}::test_a_call_offers_the_verbs_that_its_state_takes",
    ),
    Mutant(
        file="callbacks/admin/campaigns.py",
        name="another workspace's policy lends its delays to a preview",
        old="    known = RetryPolicy.objects.in_workspace(workspace.pk)",
        new="    known = RetryPolicy.objects.exclude(workspace_id=workspace.pk)",
        tests=f"{_PREVIEWS}::test_a_new_campaign_is_previewed_with_the_policy_that_is_chosen",
    ),
    Mutant(
        file="callbacks/admin/dashboard.py",
        name="the first page counts every workspace",
        old="    ids = [workspace.pk for workspace in workspaces_of(request)]",
        new="    ids = list(type(workspaces_of(request)[0]).objects.values_list('pk', flat=True))",
        tests=f"{_ACCESS}::test_the_overview_counts_calls_by_the_minute_and_nothing_of_other_workspaces",
    ),
    Mutant(
        file="callbacks/admin/dashboard.py",
        name="the first page does not say which calls need a person",
        old="for count, text, url in told if count]",
        new="for count, text, url in told[1:] if count]",
        tests=f"{_ACCESS}::test_the_overview_counts_what_is_late_what_was_dialled_and_what_needs_a_person",
    ),
]
