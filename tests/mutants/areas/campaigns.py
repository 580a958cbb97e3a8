"""Faults in the life of campaigns: made, filled, started, paused, resumed, stopped, ended, counted, reported."""

from tests.mutants.mutant import Mutant

_CAMPAIGNS = "dialer/campaigns/lifecycle.py"
_MEMBERS = "dialer/campaigns/membership.py"
_ENDS = "dialer/campaigns/completion.py"
_EVENTS = "dialer/campaigns/events.py"
_SETTINGS = "dialer/campaigns/settings.py"
_STATS = "dialer/campaigns/stats.py"
_OBSTACLES = "dialer/campaigns/blockers.py"
_REPORTS = "dialer/campaigns/report.py"
_TESTS = "tests/dialer/campaigns/test_lifecycle.py"
_END_TESTS = "tests/dialer/campaigns/test_completion.py"
_SETTING_TESTS = "tests/dialer/campaigns/test_settings.py"
_REPORT_TESTS = "tests/dialer/campaigns/test_report.py"
_OBSTACLE_TESTS = "tests/dialer/campaigns/test_blockers.py"

MUTANTS = [
    Mutant(
        file=_CAMPAIGNS,
        name="a campaign changes its status from any other",
        old="    if not found.filter(status__in=from_).update(status=to, **columns):\n",
        new="    if not found.update(status=to, **columns):\n",
        tests=f"{_TESTS}::test_each_verb_leaves_only_the_states_it_may",
    ),
    Mutant(
        file=_CAMPAIGNS,
        name="a pause leaves calls with the workers",
        old="        call_states.release_claims(campaign_id)\n",
        new="",
        tests=f"{_TESTS}::test_pause_takes_claims_back_and_says_what_it_holds",
    ),
    Mutant(
        file=_CAMPAIGNS,
        name="a pause is not told",
        old="        record_events([campaign_events.campaign_paused(campaign, reason=reason, now=now)], now=now)\n",
        new="",
        tests=f"{_TESTS}::test_pause_takes_claims_back_and_says_what_it_holds",
    ),
    Mutant(
        file=_CAMPAIGNS,
        name="a resume that cancels retries cancels promises too",
        old="status=CallStatus.QUEUED, rank=Rank.RETRY, due_at__lte=now",
        new="status=CallStatus.QUEUED, due_at__lte=now",
        tests=f"{_TESTS}::test_resume_may_cancel_overdue_retries_stale_ones_too_but_no_promise",
    ),
    Mutant(
        file=_CAMPAIGNS,
        name="a resume that cancels what is overdue cancels what is not due yet",
        old="rank=Rank.RETRY, due_at__lte=now",
        new="rank=Rank.RETRY",
        tests=f"{_TESTS}::test_resume_may_cancel_overdue_retries_stale_ones_too_but_no_promise",
    ),
    Mutant(
        file=_CAMPAIGNS,
        name="a campaign is resumed after its end",
        old="    _check_startable(campaign, now=now)\n    return campaign\n",
        new="    return campaign\n",
        tests=f"{_TESTS}::test_at_its_end_time_a_campaign_pauses_by_itself_and_does_not_resume_without_a_later_one",
    ),
    Mutant(
        file="dialer/campaigns/lifecycle.py",
        name="a retry that is rescheduled at a resume is as stale as before",
        old="                not_after=move.due_at + timedelta(hours=(row := retries[move.call_id])"
        ".stale_after_hours),\n",
        new="                not_after=(row := retries[move.call_id]).not_after,\n",
        tests="tests/callbacks/test_resuming.py::test_a_stale_retry_may_be_rescheduled_by_the_operator_who_resumes",
    ),
    Mutant(
        file=_CAMPAIGNS,
        name="a campaign fails at the first rejection of its credentials",
        old="line__down_reason=REJECTED, line__outages_in_a_row__gte=REJECTIONS\n",
        new="line__down_reason=REJECTED\n",
        tests="tests/dialer/dialing/test_line_health.py"
        "::test_a_campaign_fails_where_its_credentials_are_rejected_for_good_and_not_before",
    ),
    Mutant(
        file=_CAMPAIGNS,
        name="an outage fails campaigns",
        old="line__down_reason=REJECTED, line__outages_in_a_row__gte=REJECTIONS\n",
        new="line__outages_in_a_row__gte=REJECTIONS\n",
        tests="tests/dialer/dialing/test_line_health.py::test_an_outage_however_long_fails_no_campaign",
    ),
    Mutant(
        file=_CAMPAIGNS,
        name="first calls keep the schedule that their campaign had before",
        old="            first_calls.forget(campaign_id)\n",
        new="",
        tests=f"{_TESTS}::test_editing_the_schedule_moves_first_calls_and_leaves_retries_at_their_time",
    ),
    Mutant(
        file=_CAMPAIGNS,
        name="a campaign that is started with its contacts waits for more",
        old="            completes_at_once=auto_start and bool(contacts),\n",
        new="            completes_at_once=False,\n",
        tests=f"{_TESTS}::test_a_campaign_is_made_with_contacts_and_started_in_one_go",
    ),
    Mutant(
        file=_CAMPAIGNS,
        name="the status URLs of a campaign are not frozen when it starts",
        old="        _freeze_status_urls(campaign, now=now)\n",
        new="",
        tests="tests/decisions/test_formats.py::TestStatusUrls::test_they_are_frozen_when_the_campaign_starts",
    ),
    Mutant(
        file=_CAMPAIGNS,
        name="a campaign with an import under way does not start",
        old="        or Import.objects.filter(campaign=campaign, status__in=coming).exists()\n    )\n",
        new="    )\n",
        tests=f"{_TESTS}::test_start_without_contacts_is_refused_unless_an_import_will_bring_some",
    ),
    Mutant(
        file=_MEMBERS,
        name="contacts of another workspace are put into a campaign",
        old="known = set(contacts.living(workspace_id).filter(pk__in=named).values_list(",
        new="known = set(Contact.objects.filter(pk__in=named).values_list(",
        tests=f"{_TESTS}::test_adding_names_each_bad_entry_by_its_index_and_reason",
    ),
    Mutant(
        file=_MEMBERS,
        name="contacts are put into a campaign that has ended",
        old="        if campaign.status in FINAL:\n",
        new="        if campaign.status == CampaignStatus.COMPLETED:\n",
        tests=f"{_TESTS}::test_adding_to_an_ended_campaign_is_a_conflict_and_makes_no_contact",
    ),
    Mutant(
        file=_MEMBERS,
        name="contacts that are added to a paused campaign get no time",
        old="_STARTED = (CampaignStatus.RUNNING, CampaignStatus.PAUSED)\n",
        new="_STARTED = (CampaignStatus.RUNNING,)\n",
        tests=f"{_TESTS}::test_contacts_that_are_added_to_a_campaign_that_has_started_get_their_first_time",
    ),
    Mutant(
        file=_MEMBERS,
        name="a contact that is added does not keep its campaign open",
        old="            Campaign.objects.filter(pk=campaign_id).update(contact_added_at=now)\n",
        new="",
        tests=f"{_END_TESTS}::test_a_contact_that_is_added_keeps_the_campaign_open_for_five_minutes",
    ),
    Mutant(
        file=_ENDS,
        name="a campaign completes while a contact of it is open",
        old="                continue\n            from_ = campaign.status\n",
        new="                pass\n            from_ = campaign.status\n",
        tests=f"{_END_TESTS}::test_a_contact_added_while_the_sweep_looks_keeps_the_campaign_open",
    ),
    Mutant(
        file=_ENDS,
        name="a campaign completes while an import brings it contacts",
        old="        ~Exists(Import.objects.filter(campaign=mine, status__in=_OPEN_IMPORTS)),\n",
        new="",
        tests=f"{_TESTS}::test_an_import_under_way_keeps_the_campaign_open",
    ),
    Mutant(
        file=_ENDS,
        name="a campaign completes over contacts whose callback is pending",
        old="        ~Exists(CampaignContact.objects.filter(campaign=mine, state__in=OPEN_STATES)),\n",
        new='        ~Exists(CampaignContact.objects.filter(campaign=mine, state__in=["waiting", "calling"])),\n',
        tests=f"{_TESTS}::test_a_contact_that_is_not_at_its_end_keeps_the_campaign_open",
    ),
    Mutant(
        file=_ENDS,
        name="a campaign completes as soon as its contacts are at their end",
        old="    grace = now - timedelta(seconds=settings.CAMPAIGN_COMPLETION_GRACE_SECONDS)\n",
        new="    grace = now\n",
        tests=f"{_TESTS}::test_a_contact_added_less_than_five_minutes_ago_keeps_the_campaign_open",
    ),
    Mutant(
        file=_ENDS,
        name="a campaign that was paused never completes",
        old="_STARTED = (CampaignStatus.RUNNING, CampaignStatus.PAUSED)\n",
        new="_STARTED = (CampaignStatus.RUNNING,)\n",
        tests=f"{_END_TESTS}::test_a_campaign_that_is_paused_completes_too",
    ),
    Mutant(
        file=_ENDS,
        name="nobody can see that a campaign completed by itself",
        old='            record(SYSTEM, [changed(campaign, "complete", ',
        new='            record(SYSTEM, [] and [changed(campaign, "complete", ',
        tests=f"{_END_TESTS}::test_what_the_sweep_does_is_in_the_audit",
    ),
    Mutant(
        file=_ENDS,
        name="a campaign pauses at its end and its claims go on",
        old="            call_states.release_claims(campaign.pk)\n",
        new="",
        tests=f"{_TESTS}::test_at_its_end_time_a_campaign_pauses_by_itself_and_does_not_resume_without_a_later_one",
    ),
    Mutant(
        file=_ENDS,
        name="a campaign pauses before its end",
        old="status=CampaignStatus.RUNNING, end_at__lte=now)",
        new="status=CampaignStatus.RUNNING, end_at__isnull=False)",
        tests=f"{_TESTS}::test_at_its_end_time_a_campaign_pauses_by_itself_and_does_not_resume_without_a_later_one",
    ),
    Mutant(
        file=_ENDS,
        name="contacts beyond the first thousands get no time",
        old='        "scheduled": schedule_waiting(limit=limit, now=now),\n',
        new='        "scheduled": 0,\n',
        tests=f"{_END_TESTS}::test_contacts_that_the_start_left_over_get_their_time_from_the_sweep",
    ),
    Mutant(
        file=_ENDS,
        name="a stopped campaign ends while a contact of it is open",
        old="        if _has_open_contacts(campaign_id):\n            return False\n",
        new="",
        tests=f"{_TESTS}::test_cancel_stops_what_waits_lets_live_calls_finish_and_then_tells_the_end_once",
    ),
    Mutant(
        file=_ENDS,
        name="a stopped campaign ends again and again",
        old=".filter(pk=campaign_id, status__in=_STOPPED, ended_at=None)",
        new=".filter(pk=campaign_id, status__in=_STOPPED)",
        tests=f"{_END_TESTS}::test_winding_down_what_has_ended_leaves_its_end_as_it_is",
    ),
    Mutant(
        file=_ENDS,
        name="contacts of a cancelled campaign go on waiting",
        old="        campaign_contacts.finish_waiting(campaign_id, end_reason=why, limit=BATCH * 10, now=now)\n",
        new="",
        tests=f"{_TESTS}::test_cancel_stops_what_waits_lets_live_calls_finish_and_then_tells_the_end_once",
    ),
    Mutant(
        file=_EVENTS,
        name="the end of a campaign can be told twice",
        old='        unique_key=f"campaign.ended:{campaign.id}",\n',
        new="",
        tests=f"{_END_TESTS}::test_the_end_of_a_campaign_is_told_once_whoever_tells_it",
    ),
    Mutant(
        file=_EVENTS,
        name="the report of a campaign is on the workspace's clock",
        old="            zone=campaign.time_zone or campaign.workspace.time_zone,\n",
        new="            zone=campaign.workspace.time_zone,\n",
        tests=f"{_END_TESTS}::test_status_urls_hear_of_the_end_on_the_campaigns_clock",
    ),
    Mutant(
        file=_EVENTS,
        name="subscriptions of a persona hear nothing of its campaigns",
        old="        persona_id=campaign.persona_id,\n",
        new="        persona_id=None,\n",
        tests=f"{_END_TESTS}::test_an_endpoint_of_a_persona_hears_of_its_campaigns",
    ),
    Mutant(
        file=_SETTINGS,
        name="a status URL is changed after the start",
        old="    if current is None or current.status == CampaignStatus.DRAFT:\n        return {}\n",
        new="    if current is not None or current is None:\n        return {}\n",
        tests=f"{_SETTING_TESTS}::test_status_urls_change_until_the_start_and_not_after",
    ),
    Mutant(
        file=_SETTINGS,
        name="an archived line or policy serves a new campaign",
        old="filter(pk=value, archived_at=None).exists()",
        new="filter(pk=value).exists()",
        tests=f"{_SETTING_TESTS}::test_what_belongs_to_another_workspace_or_is_archived_cannot_be_used",
    ),
    Mutant(
        file="dialer/setup/lines.py",
        name="an archived line is taken as the default",
        old="Line.objects.in_workspace(workspace_id).filter(archived_at=None).order_by(",
        new="Line.objects.in_workspace(workspace_id).order_by(",
        tests=f"{_SETTING_TESTS}::test_an_archived_line_is_not_the_only_one",
    ),
    Mutant(
        file=_SETTINGS,
        name="a campaign may end before it starts",
        old="    if end_at and start_at and end_at <= start_at:\n",
        new="    if end_at and start_at and end_at == start_at:\n",
        tests=f"{_SETTING_TESTS}::test_every_fault_is_named_by_its_path",
    ),
    Mutant(
        file=_SETTINGS,
        name="a time without an offset is taken for one in UTC",
        old='        message = "must have an offset, such as Z or +01:00"\n        raise Unfit(message)\n',
        new="        return at.replace(tzinfo=UTC)\n",
        tests="tests/api/test_bad_times.py",
    ),
    Mutant(
        file=_STATS,
        name="talks of calls that came in count in a campaign's average",
        old="AND outcome IN ('answered', 'dnc_request') AND direction = 'outbound'",
        new="AND outcome IN ('answered', 'dnc_request')",
        tests="tests/dialer/campaigns/test_stats.py::test_the_average_is_that_of_the_campaigns_own_talks",
    ),
    Mutant(
        file=_STATS,
        name="a contact who was talked to counts as cancelled",
        old='    if status != "completed" and state in',
        new="    if state in",
        tests=f"{_TESTS}::test_stats_count_each_contact_once_by_its_best_result",
    ),
    Mutant(
        file=_OBSTACLES,
        name="nobody is told that no worker dials",
        old="    if (now - next_at).total_seconds() > _SLOW:\n",
        new="    if (now - next_at).total_seconds() > 3_600:\n",
        tests="tests/admin/test_campaigns.py::test_a_due_call_that_nobody_dials_points_to_the_workers",
    ),
    Mutant(
        file=_OBSTACLES,
        name="a campaign's own calls stand in its way",
        old="        if limit is not None and not live and limit <=",
        new="        if limit is not None and limit <=",
        tests=f"{_OBSTACLE_TESTS}::test_a_campaign_whose_own_calls_take_all_slots_has_no_obstacle",
    ),
    Mutant(
        file=_OBSTACLES,
        name="a line whose carrier is down is no obstacle",
        old="    if line.down_until is not None and line.down_until > now:\n",
        new="    if line.down_until is not None and line.down_until < now:\n",
        tests="tests/admin/test_campaigns.py::test_the_page_says_in_words_why_nothing_is_dialling",
    ),
    Mutant(
        file=_REPORTS,
        name="the address of a report serves for ever",
        old="    return any(fits) and datetime.fromtimestamp(int(expires), UTC) > now\n",
        new="    return any(fits)\n",
        tests=f"{_REPORT_TESTS}::test_an_address_serves_for_30_days_and_not_longer",
    ),
    Mutant(
        file=_REPORTS,
        name="the expiry of an address is not signed",
        old='salted_hmac(_SALT, f"{name}:{expires}", secret=key',
        new='salted_hmac(_SALT, f"{name}", secret=key',
        tests=f"{_REPORT_TESTS}::test_no_part_of_an_address_can_be_changed",
    ),
    Mutant(
        file=_REPORTS,
        name="a report ends after its first page",
        old="    while contacts := _contacts(campaign.pk, after=after):\n",
        new="    if contacts := _contacts(campaign.pk, after=after):\n",
        tests=f"{_REPORT_TESTS}::test_a_long_report_is_read_a_page_at_a_time_and_misses_nobody",
    ),
    Mutant(
        file=_REPORTS,
        name="the times of a report are on the workspace's clock",
        old="    zone = ZoneInfo(campaign.time_zone or campaign.workspace.time_zone)\n",
        new="    zone = ZoneInfo(campaign.workspace.time_zone)\n",
        tests=f"{_REPORT_TESTS}::test_a_campaigns_own_zone_comes_before_that_of_its_workspace",
    ),
]
