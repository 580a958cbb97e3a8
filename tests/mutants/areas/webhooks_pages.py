"""Faults in the routes and pages of webhooks."""

from tests.mutants.mutant import Mutant

_PAGES = "tests/webhooks/admin/test_pages.py"
_REPLAY_PAGES = "tests/webhooks/admin/test_replays.py"
_REPLAY_ROUTES = "tests/webhooks/api/test_replays.py"
_ROUTES = "tests/webhooks/api/test_routes.py"

MUTANTS = [
    Mutant(
        file="webhooks/api/views.py",
        name="a route takes a URL whose name leads inside",
        old='        if "url" in given and (reason := url_error(given["url"])):\n'
        '            raise InvalidEndpoint({"url": [reason]})\n',
        new="",
        tests=f"{_ROUTES}::test_a_name_must_not_lead_inside_not_even_by_one_of_its_addresses",
    ),
    Mutant(
        file="webhooks/api/views.py",
        name="the deliveries of one endpoint are those of all",
        old="_asked_for(rows.filter(endpoint_id=self._endpoint_id()), asked)",
        new="_asked_for(rows, asked)",
        tests=f"{_ROUTES}::test_deliveries_are_listed_and_filtered",
    ),
    Mutant(
        file="webhooks/api/views.py",
        name="the deliveries of another workspace's endpoint can be asked for",
        old="        mine = Endpoint.objects.in_workspace(self.request.workspace_id)",
        new="        mine = Endpoint.objects.all()",
        tests=f"{_ROUTES}::test_another_workspace_has_neither_endpoints_nor_deliveries",
    ),
    Mutant(
        file="webhooks/api/views.py",
        name="an endpoint that is made switched off is on",
        old="            if not is_active:\n                made = self._switched(made, is_on=False)\n",
        new="",
        tests=f"{_ROUTES}::test_an_endpoint_may_be_made_switched_off",
    ),
    Mutant(
        file="webhooks/api/shapes.py",
        name="a deadline in milliseconds is read as seconds",
        old='given.pop("timeout_ms") / 1000',
        new='given.pop("timeout_ms")',
        tests=f"{_ROUTES}::test_the_spellings_of_the_reference_are_taken",
    ),
    Mutant(
        file="webhooks/api/shapes.py",
        name="a persona is taken for the scope of a campaign",
        old='                if given.setdefault("scope_type", scope) != scope:',
        new='                if given.setdefault("scope_type", scope) is None:',
        tests=f"{_ROUTES}::test_what_is_wrong_is_named",
    ),
    Mutant(
        file="webhooks/api/shapes.py",
        name="a secret is shown that standard libraries cannot read",
        old="standard_form(secret) if secret and",
        new="secret if secret and",
        tests=f"{_ROUTES}::test_a_secret_that_is_given_is_shown_in_the_form_of_standard_libraries_too",
    ),
    Mutant(
        file="webhooks/api/errors.py",
        name="an endpoint that is off is an error of ours",
        old='@answers(EndpointInactive, conflicts_with=["endpoint_inactive"])\n',
        new="",
        tests=f"{_REPLAY_ROUTES}::test_an_endpoint_that_is_off_can_be_asked_about_but_not_replayed",
    ),
    Mutant(
        file="dialer/workspaces/api/errors.py",
        name="a conflict of an endpoint is told as a bad request",
        old="Problem(status=409, code=code",
        new="Problem(status=400, code=code",
        tests=f"{_ROUTES}::test_an_endpoint_that_signs_nothing_has_nothing_to_rotate",
    ),
    Mutant(
        file="webhooks/api/replay_views.py",
        name="a dry run that a client asks for sends",
        old='            dry_run=given["dry_run"],\n',
        new="",
        tests=f"{_REPLAY_ROUTES}::test_a_dry_run_is_done_at_once",
    ),
    Mutant(
        file="webhooks/api/replay_views.py",
        name="replays are not filtered by their endpoint",
        old='            asked["endpoint_id"] = webhook_id\n',
        new="            pass\n",
        tests=f"{_REPLAY_ROUTES}::test_a_replay_is_a_job_that_says_what_was_found",
    ),
    Mutant(
        file="webhooks/api/feed_views.py",
        name="the next page of the feed begins anew",
        old='            said["after"] = public_id(Event.public_prefix, page.events[-1].id)\n',
        new="            pass\n",
        tests="tests/webhooks/api/test_feed.py::test_a_receiver_reads_on_where_it_was_and_asks_the_last_page_again",
    ),
    Mutant(
        file="webhooks/api/feed_views.py",
        name="the next page of the feed forgets its filters",
        old="        said = query.dict()\n",
        new="        said: dict[str, str] = {}\n",
        tests="tests/webhooks/api/test_feed.py::test_a_receiver_reads_on_where_it_was_and_asks_the_last_page_again",
    ),
    Mutant(
        file="webhooks/admin/endpoints.py",
        name="a page takes a URL whose name leads inside",
        old="        if fault is not None:\n            raise forms.ValidationError(fault)\n",
        new="",
        tests=f"{_PAGES}::test_a_name_that_leads_inside_is_refused_on_the_form",
    ),
    Mutant(
        file="webhooks/admin/endpoints.py",
        name="endpoints that were deleted are shown",
        old="super().get_queryset(request).kept()",
        new="super().get_queryset(request)",
        tests=f"{_PAGES}::test_deleting_an_endpoint_keeps_its_deliveries",
    ),
    Mutant(
        file="webhooks/admin/endpoints.py",
        name="a secret that somebody brought is shown again",
        old='"The new secret waits to be promoted." if brought else _shown_once(rotated)',
        new="_shown_once(rotated)",
        tests=f"{_PAGES}::test_a_secret_that_is_brought_is_not_shown_again",
    ),
    Mutant(
        file="dialer/workspaces/admin/base.py",
        name="an endpoint can be made in another workspace",
        old='            rows = rows.visible_to(request.user, self.permission_to("add"))\n',
        new="",
        tests=f"{_PAGES}::test_nothing_of_another_workspace_is_seen_or_done",
    ),
    Mutant(
        file="webhooks/admin/endpoints.py",
        name="an edit on the page makes a second endpoint",
        old="        if self.is_new:\n",
        new="        if True:\n",
        tests=f"{_PAGES}::test_an_edit_keeps_the_secret_that_it_does_not_show",
    ),
    Mutant(
        file="webhooks/admin/deliveries.py",
        name="the filter offers endpoints of other workspaces",
        old="        subscribed = Endpoint.objects.visible_to(request.user).filter(",
        new="        subscribed = Endpoint.objects.filter(",
        tests=f"{_PAGES}::test_nothing_of_another_workspace_is_seen_or_done",
    ),
    Mutant(
        file="webhooks/admin/deliveries.py",
        name="what a receiver answered runs in the operator's browser",
        old="    return format_html('<pre class=\"whitespace-pre-wrap break-all\">{}</pre>', text)",
        new='    return type(format_html("{}", ""))(f"<pre>{text}</pre>")',
        tests=f"{_PAGES}::test_a_delivery_shows_what_was_sent_and_every_attempt",
    ),
    Mutant(
        file="webhooks/admin/events.py",
        name="events are not filtered by their type",
        old="    offered = tuple((name, name) for name in EVENT_TYPES)\n",
        new="    offered = ()\n",
        tests=f"{_PAGES}::test_deliveries_are_filtered_by_endpoint_and_events_by_type",
    ),
    Mutant(
        file="dialer/workspaces/admin/jobs.py",
        name="a replay that is over can be stopped",
        old='return ("stop",) if row.status == _RUNNING else ()',
        new='return ("stop",)',
        tests=f"{_REPLAY_PAGES}::test_an_operator_replays_what_was_missed_and_follows_it",
    ),
    Mutant(
        file="dialer/workspaces/roles.py",
        name="viewers stop replays",
        old="view_event view_replay",
        new="view_event view_replay change_replay",
        tests=f"{_REPLAY_PAGES}::test_a_viewer_follows_a_replay_and_does_not_stop_it",
    ),
    Mutant(
        file="webhooks/admin/forms.py",
        name="a time in UTC is read on the server's clock",
        old="read.replace(tzinfo=UTC) if read.tzinfo is None else read",
        new="read.replace(tzinfo=UTC) + timedelta(hours=1) if read.tzinfo is None else read",
        tests=f"{_REPLAY_PAGES}::test_what_was_filled_in_is_replayed_its_times_in_utc",
    ),
    Mutant(
        file="webhooks/admin/forms.py",
        name="a replay that is filled in loses its statuses",
        old='            statuses=[DeliveryStatus(status) for status in given["statuses"]],\n',
        new="",
        tests=f"{_REPLAY_PAGES}::test_what_was_filled_in_is_replayed_its_times_in_utc",
    ),
]
