"""Faults on the floor and in what the audit is told: who did what, and why."""

from tests.mutants.mutant import Mutant

_API = "tests/audit/test_api.py::test_a_change_leaves_who_did_what_and_why"
_ADMIN = "tests/audit/test_admin.py::test_a_change_leaves_who_did_what_and_why"

MUTANTS = [
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
        old='    return Actor(kind="user", id=str(user.pk), label=user.get_username())',
        new='    return Actor(kind="user", id="1", label="admin")',
        tests=f"{_ADMIN}[archive:dialer_persona_archive]",
    ),
    Mutant(
        file="dialer/admin/contacts.py",
        name="the audit forgets why the admin suppressed a number",
        old='        why=form.cleaned_data["reason"],\n',
        new="",
        tests=f"{_ADMIN}[suppress:dialer_contact_suppress]",
    ),
]
