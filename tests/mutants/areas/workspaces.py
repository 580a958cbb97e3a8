"""Faults on the floor: in what requests and files say, and in what the audit is told."""

from tests.mutants.mutant import Mutant

_API = "tests/audit/test_api.py::test_a_change_leaves_who_did_what_and_why"
_CHUNKED = "tests/api/test_chunked.py"
_PAGES = "tests/admin/test_pages.py"
_IMPORTS = "tests/dialer/campaigns/test_imports.py"
_KEYS = "tests/security/test_api_keys.py"
_MEMBERS = "tests/admin/test_members.py"
_WAYS_IN = "tests/isolation/test_every_way_in.py"
_ADMIN = "tests/audit/test_admin.py::test_a_change_leaves_who_did_what_and_why"

MUTANTS = [
    Mutant(
        file="dialer/workspaces/ids.py",
        name="the ids in items of arrays find nothing",
        old="    if _UUID.fullmatch(text):\n        return UUID(text)\n",
        new="",
        tests="tests/decisions/test_formats.py::TestArrays"
        "::test_a_contact_who_is_not_reached_has_one_result_when_the_attempts_are_exhausted",
    ),
    Mutant(
        file="dialer/dialing/conversation.py",
        name="request-dnc leaves no audit entry",
        old='record(actor, [_change(call, "request_dnc",',
        new='dict(unkept=[_change(call, "request_dnc",',
        tests=f"{_API}[request_dnc:POST:calls/{{id}}/request-dnc/]",
    ),
    Mutant(
        file="dialer/contacts/suppressions.py",
        name="lifting a suppression leaves no audit entry",
        old='            record(actor, [_change(suppression, "lift", reason)], now=now)',
        new="            pass",
        tests=f"{_API}[lift:DELETE:suppressions/{{id}}/] {_ADMIN}[lift:dialer_suppression_lift]",
    ),
    Mutant(
        file="dialer/contacts/contacts.py",
        name="deleting a contact leaves no audit entry",
        old='        record(actor, [_audited(contact, "delete", reason=reason)], now=now)\n',
        new="",
        tests=f"{_API}[delete:DELETE:contacts/{{id}}/] {_ADMIN}[delete:dialer_contact_forget]",
    ),
    Mutant(
        file="dialer/contacts/contacts.py",
        name="the audit forgets why a contact was deleted",
        old='_audited(contact, "delete", reason=reason)',
        new='_audited(contact, "delete")',
        tests=f"{_API}[delete:DELETE:contacts/{{id}}/]",
    ),
    Mutant(
        file="dialer/campaigns/imports.py",
        name="an upload leaves no audit entry",
        old="        record(actor, [_uploaded(source)], now=now)\n",
        new="",
        tests=f"{_API}[upload:POST:contacts/import/]",
    ),
    Mutant(
        file="dialer/campaigns/membership.py",
        name="adding contacts to a campaign leaves no audit entry",
        old="            record(actor, [change], now=now)",
        new="            del change",
        tests=f"{_API}[add_contacts:POST:campaigns/{{id}}/contacts/]",
    ),
    Mutant(
        file="callbacks/scheduling.py",
        name="the audit forgets why a callback was promised",
        old='to_state=made, reason=reason or (force.reason if force else ""))',
        new='to_state=made, reason=force.reason if force else "")',
        tests=f"{_API}[schedule:POST:callbacks/] {_ADMIN}[schedule:callbacks_callback_promise]",
    ),
    Mutant(
        file="dialer/workspaces/api_keys.py",
        name="a key is revoked although the audit cannot be written",
        old="    with transaction.atomic():\n        changed = ApiKey",
        new="    if True:\n        changed = ApiKey",
        tests="tests/audit/test_admin.py::test_nothing_is_changed_where_the_entry_cannot_be_written[revoke:workspaces_apikey_revoke]",
    ),
    Mutant(
        file="dialer/workspaces/audit.py",
        name="the audit does not say which key or user acted",
        old="                actor_id=actor.id,\n",
        new="",
        tests=f"{_API}[pause:POST:campaigns/{{id}}/pause/]",
    ),
    Mutant(
        file="dialer/workspaces/admin/access.py",
        name="entries about messages are not found by their id",
        old='    "message",\n',
        new="",
        tests="tests/audit/test_api.py::test_an_entry_is_found_by_the_id_of_what_was_changed[send:POST:messages/]",
    ),
    Mutant(
        file="dialer/workspaces/admin/verbs.py",
        name="the admin signs every change as one user",
        old="id=str(user.pk), label=user.get_username(), client=",
        new='id="1", label="admin", client=',
        tests=f"{_ADMIN}[archive:dialer_persona_archive]",
    ),
    Mutant(
        file="dialer/admin/contacts.py",
        name="the audit forgets why the admin suppressed a number",
        old='        why=form.cleaned_data["reason"],\n',
        new="",
        tests=f"{_ADMIN}[suppress:dialer_contact_suppress]",
    ),
    Mutant(
        file="dialer/workspaces/api/request.py",
        name="a chunked body counts as empty",
        old="        if is_chunked(self._request):\n",
        new="        if not is_chunked(self._request):\n",
        tests=f"{_CHUNKED}::test_a_chunked_body_changes_what_it_says",
    ),
    Mutant(
        file="dialer/workspaces/api/chunked.py",
        name="a chunked body that has no marked end counts as empty",
        old='            if not request.META.get("wsgi.input_terminated"):\n',
        new="            if False:\n",
        tests=f"{_CHUNKED}::test_a_server_that_does_not_mark_the_end_of_the_body_asks_for_its_length",
    ),
    Mutant(
        file="dialer/workspaces/admin/base.py",
        name="a list takes any look-up from its address",
        old="        return lookup in offered and is_clean(value)\n",
        new="        return is_clean(value) or lookup in offered\n",
        tests=f"{_PAGES}::test_a_list_takes_from_its_address_only_what_its_filters_offer",
    ),
    Mutant(
        file="dialer/workspaces/admin/base.py",
        name="a filter takes a NUL from the address",
        old="        return lookup in offered and is_clean(value)\n",
        new="        return lookup in offered\n",
        tests=f"{_PAGES}::test_a_list_takes_from_its_address_only_what_its_filters_offer",
    ),
    Mutant(
        file="dialer/api/shapes.py",
        name="a plus that arrives as a space is lost",
        old='            text = f"+{text}"\n',
        new="            pass\n",
        tests="tests/api/test_contacts.py::test_a_number_is_found_however_its_plus_and_spaces_are_encoded",
    ),
    Mutant(
        file="dialer/rules/contact_file.py",
        name="the apostrophes of a file of bad rows become part of the contacts",
        old="(spreadsheet.text_of(cell) if told else cell)",
        new="cell",
        tests=f"{_IMPORTS}::test_bad_rows_hold_nothing_that_a_spreadsheet_would_run_and_read_back_as_they_were",
    ),
    Mutant(
        file="dialer/workspaces/scoping.py",
        name="the role in one workspace counts in all the user's workspaces",
        old="        return self.filter(**member)\n",
        new="        return self.filter(**{n: v for n, v in member.items() if n.endswith('user_id')})\n",
        tests=f"{_WAYS_IN}::TestTheAdmin::test_a_form_offers_only_workspaces_where_the_role_allows_it[dialer_contact]",
    ),
    Mutant(
        file="dialer/workspaces/permissions.py",
        name="a role elsewhere lets a user act on any row",
        old="if obj is None or workspace_id == _workspace_of(obj)]",
        new="if obj is None or _workspace_of(obj)]",
        tests=f"{_WAYS_IN}::TestTheAdmin::test_who_is_a_viewer_here_does_nothing_here_whatever_the_role_elsewhere"
        "[dialer_contact]",
    ),
    Mutant(
        file="dialer/workspaces/admin/base.py",
        name="ticked rows are changed whatever the role in their workspace",
        old="                if not self.allows(request, verb, row):\n                    raise NotPermitted\n",
        new="",
        tests=f"{_WAYS_IN}::TestTheAdmin::test_who_is_a_viewer_here_does_nothing_here_whatever_the_role_elsewhere"
        "[dialer_contact]",
    ),
    Mutant(
        file="dialer/workspaces/admin/verbs.py",
        name="a job by filter takes in workspaces where the user may only look",
        old="        rows = rows.visible_to(request.user, permission)\n",
        new="        rows = rows.visible_to(request.user)\n",
        tests=f"{_WAYS_IN}::TestTheAdmin::test_a_job_by_filter_leaves_out_workspaces_where_the_role_does_not_allow_it",
    ),
    Mutant(
        file="dialer/workspaces/members.py",
        name="two owners remove each other at once",
        old="    Workspace.objects.select_for_update(no_key=True).get(pk=workspace_id)\n",
        new="    Workspace.objects.get(pk=workspace_id)\n",
        tests=f"{_MEMBERS}::test_two_owners_who_remove_each_other_at_once_leave_one",
    ),
    Mutant(
        file="dialer/workspaces/members.py",
        name="who made a user signs in as the user after another workspace took the user in",
        old="{user.is_superuser}{list(members)}",
        new="{user.is_superuser}",
        tests=f"{_MEMBERS}::test_a_link_dies_when_another_workspace_takes_the_user_in",
    ),
    Mutant(
        file="dialer/workspaces/api_keys.py",
        name="a key makes one that may be used from anywhere",
        old="    if limits and not (networks and all(",
        new="    if limits and networks and not (all(",
        tests=f"{_KEYS}::TestKeysThatMakeKeys::test_a_key_makes_none_that_reaches_further_than_itself",
    ),
    Mutant(
        file="dialer/workspaces/api_keys.py",
        name="a key for calls writes webhooks",
        old="    return key.scope == scope or _RANKS[key.scope] > _RANKS[scope]",
        new="    return _RANKS[key.scope] >= _RANKS[scope]",
        tests=f"{_WAYS_IN}::TestTheApi::test_a_route_answers_keys_of_the_scopes_that_reach_it_and_no_others"
        "[POST:webhooks/]",
    ),
    Mutant(
        file="dialer/workspaces/api/parser.py",
        name="a body may have any number of values",
        old="        _check_size(raw)\n",
        new="",
        tests="tests/api/test_foundation.py::TestErrors::test_a_body_that_cannot_be_kept_is_a_parse_error",
    ),
    Mutant(
        file="dialer/workspaces/api/audit.py",
        name="any key reads the audit",
        old='    admin_actions = ("list",)\n',
        new="",
        tests="tests/api/test_audit.py::test_only_an_admin_key_reads_the_audit",
    ),
    Mutant(
        file="dialer/workspaces/api/authentication.py",
        name="the schema wants both forms of the key at once",
        old="[{name: []} for name in self.name]",
        new="[{name: [] for name in self.name}]",
        tests="tests/api/test_schema.py::test_either_form_of_the_key_is_enough",
    ),
    Mutant(
        file="config/views.py",
        name="the schema is made for everyone who asks",
        old="@lru_cache\ndef _rendered_schema",
        new="def _rendered_schema",
        tests="tests/api/test_schema.py::test_it_is_made_once_however_often_it_is_asked_for",
    ),
    Mutant(
        file="dialer/workspaces/api/serializers.py",
        name="two names of one field are taken, and one of them is lost",
        old="        if own != name and own in data:\n",
        new="        if False:\n",
        tests="tests/api/test_vocabulary.py::test_two_names_of_one_filter_are_refused",
    ),
    Mutant(
        file="dialer/workspaces/idempotency.py",
        name="a stored answer, which may hold a secret, is given to another API key",
        old="    if row.api_key_id != asked.api_key_id:\n        raise KeyOfAnother\n",
        new="",
        tests="tests/api/test_idempotency.py::test_an_answer_is_given_again_only_to_the_api_key_that_asked",
    ),
]
