"""Every route and every page, asked with every kind of key and in every role: nobody gets further than the tables say.

The routes come from the schema and the resolver, so a new one that ``doors`` does not know fails here.
"""

import secrets
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from callbacks.models import BulkAction
from dialer.models import CarrierEvent, Message
from dialer.workspaces.models import Member, Workspace
from dialer.workspaces.roles import Role
from tests.admin.everything import PAGES as MODELS
from tests.admin.everything import make_everything, row_in
from tests.admin.people import CONFIRMED, browser_of, make_callback, said
from tests.api.client import Answer, Api, error_of
from tests.api.routes import BASE, BODIES, ROWS, Operation, operations
from tests.audit.trace import rows_of_all_tables
from tests.factories import make_workspace
from tests.isolation.doors import (
    CHANGED_BY,
    ELSEWHERE,
    LIST_ACTIONS,
    NO_ROW,
    OF_NO_PAGE,
    PAGES,
    REACHES,
    doors_of,
    least_role,
    names_of_the_admin,
    routes_elsewhere,
    scope_of,
)

pytestmark = pytest.mark.django_db

EVERY = operations()


def _named(operation: Operation) -> str:
    return str(operation).replace(" ", ":")


def asked(api: Api, operation: Operation, named: str) -> Answer:
    body = BODIES[operation.path]() if operation.path in BODIES else {} if operation.takes_json else None
    return api.send(operation.method, operation.filled(named), body)


class TestTheApi:
    @pytest.mark.parametrize("operation", EVERY, ids=_named)
    @pytest.mark.parametrize("key", [None, "rb_unknown"])
    def test_no_route_answers_without_a_key_or_with_an_unknown_one(self, operation: Operation, key: str | None) -> None:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}

        answer = Client(headers=headers).generic(
            operation.method, BASE + operation.filled("x"), content_type="application/json"
        )

        assert answer.status_code == 401
        assert error_of(answer)["code"] == ("not_authenticated" if key is None else "authentication_failed")

    @pytest.mark.parametrize("operation", EVERY, ids=_named)
    def test_a_route_answers_keys_of_the_scopes_that_reach_it_and_no_others(self, operation: Operation) -> None:
        workspace = make_workspace()
        needed = scope_of(str(operation))
        for scope, reached in REACHES.items():
            named = ROWS[operation.resource](workspace) if "{" in operation.path else ""
            before = rows_of_all_tables(workspace)

            answer = asked(Api(workspace, scope=scope), operation, named)

            if needed in reached:
                assert answer.status_code not in (401, 403, 404), (scope, answer.content)
                continue
            assert (answer.status_code, error_of(answer)["code"]) == (403, "permission_denied"), scope
            changed = {table for table, rows in rows_of_all_tables(workspace).items() if rows != before[table]}
            assert changed <= {"workspaces_apikey", "workspaces_auditentry"}, "but for the key of this request"

    @pytest.mark.parametrize("operation", [each for each in EVERY if "{" in each.path], ids=_named)
    def test_another_workspaces_row_is_not_found(self, operation: Operation) -> None:
        theirs = ROWS[operation.resource](make_workspace())

        answer = asked(Api(scope="admin"), operation, theirs)

        assert answer.status_code == 404, answer.content
        assert error_of(answer)["code"] == "not_found"


@pytest.fixture
def here() -> Workspace:
    return make_everything()


@pytest.fixture
def mixed(here: Workspace) -> Client:
    """The browser of a user who owns another workspace with everything in it, and is a viewer here."""
    browser = browser_of(make_everything(member="moritz"), role="owner")
    Member.objects.create(workspace=here, user=User.objects.latest("id"), role="viewer")
    return browser


class TestTheAdmin:
    def test_the_tables_know_every_address(self) -> None:
        pages = {page: doors_of(page) for page in MODELS}
        standard = {"add", "change", "changelist", "delete", "history"}

        assert set(PAGES) == set(MODELS)
        assert {page: doors - standard for page, doors in pages.items()} == {
            page: set(doors) - standard - {""} for page, doors in PAGES.items()
        }
        of_pages = {f"{page}_{door}" for page, doors in pages.items() for door in doors}
        assert names_of_the_admin() - of_pages == set(OF_NO_PAGE)

    def test_the_tables_know_every_form_and_every_action_of_a_list(self, here: Workspace) -> None:
        request: Any = browser_of(None, is_superuser=True).get(reverse("admin:index")).wsgi_request
        pages = {page: admin.site.get_model_admin(model) for page, model in MODELS.items()}

        assert set(CHANGED_BY) == {
            name for name, page in pages.items() if page.has_change_permission(request, row_in(here, name))
        }
        assert {name: set(actions) for name, actions in LIST_ACTIONS.items()} == {
            name: set(page.actions) for name, page in pages.items() if page.actions
        }

    @pytest.mark.parametrize("page", PAGES)
    def test_nobody_opens_a_page_without_signing_in(self, here: Workspace, page: str) -> None:
        for door in doors_of(page):
            for answer in (Client().get(url_of(here, page, door)), Client().post(url_of(here, page, door), CONFIRMED)):
                assert answer.status_code == 302
                assert answer.headers["Location"].startswith(reverse("admin:login"))

    @pytest.mark.parametrize("page", PAGES)
    def test_a_page_opens_for_the_roles_that_it_is_for(self, here: Workspace, page: str) -> None:
        for role in Role:
            browser = browser_of(here, role=role.value)
            for door in sorted(doors_of(page)):
                least = least_role(page, door)
                is_open = least is not None and role.rank >= least.rank

                answer = browser.get(url_of(here, page, door), follow=True)

                assert answer.status_code in (200, 403)
                is_shown = answer.status_code == 200 and answer.resolver_match.url_name != "index"
                assert is_shown is is_open, (role, door)

    @pytest.mark.parametrize("page", PAGES)
    def test_who_is_a_viewer_here_does_nothing_here_whatever_the_role_elsewhere(
        self, here: Workspace, mixed: Client, page: str
    ) -> None:
        """Neither by a button, a form, nor an action on ticked rows."""
        before = rows_of_all_tables(here)

        for door in sorted(doors_of(page) - NO_ROW):
            least = least_role(page, door)
            if door in ("history", "change") or least is Role.VIEWER:
                continue
            for answer in (mixed.get(url_of(here, page, door)), mixed.post(url_of(here, page, door), CONFIRMED)):
                # A page for other roles shows no row of this workspace, which a button then finds gone.
                assert answer.status_code == 403 or least_role(page, "") is not Role.VIEWER, door
        if page in CHANGED_BY:
            assert mixed.post(url_of(here, page, "change"), {"name": "Mine"}).status_code == 403
        listed = reverse(f"admin:{page}_changelist")
        for action in LIST_ACTIONS.get(page, {}):
            ticked = {"action": action, ACTION_CHECKBOX_NAME: [str(row_in(here, page).pk)], **CONFIRMED}
            query = "?queue=history" if action == "undo_selected" else "?queue=all_pending"
            mixed.post(listed + (query if page == "callbacks_callback" else ""), {**ticked, **filled_in(action)})

        assert rows_of_all_tables(here) == before

    @pytest.mark.parametrize("page", [page for page, doors in PAGES.items() if "add" in doors])
    def test_a_form_offers_only_workspaces_where_the_role_allows_it(
        self, here: Workspace, mixed: Client, page: str
    ) -> None:
        before = rows_of_all_tables(here)
        url = reverse(f"admin:{page}_add")

        offered = {str(value) for value, _ in mixed.get(url).context["adminform"].form.fields["workspace"].choices}
        refused = mixed.post(url, {"workspace": str(here.pk), "name": "Mine"})

        assert offered - {""}, "the workspace where the user is an owner"
        assert str(here.pk) not in offered
        assert "workspace" in refused.context["adminform"].form.errors
        assert rows_of_all_tables(here) == before

    def test_a_job_by_filter_leaves_out_workspaces_where_the_role_does_not_allow_it(
        self, here: Workspace, mixed: Client
    ) -> None:
        elsewhere = Workspace.objects.exclude(pk=here.pk).get()
        listed = reverse("admin:callbacks_callback_changelist") + "?queue=all_pending"
        form = {"action": "cancel_selected", "_all_matching": "1", ACTION_CHECKBOX_NAME: ["1"], **CONFIRMED}

        mixed.post(listed, form)

        jobs = BulkAction.objects.filter(total__gt=0, actor_id=str(User.objects.latest("id").pk))
        assert [(job.workspace_id, job.total) for job in jobs] == [(elsewhere.pk, 1)]

    def test_a_force_needs_the_role_in_the_workspace_of_the_row(self) -> None:
        """By the button, on ticked rows, by a job, and for a new promise."""
        here = make_workspace()
        browser = browser_of(make_workspace(name="Globex"), role="manager")
        Member.objects.create(workspace=here, user=User.objects.latest("id"), role="operator")
        callback = make_callback(here)
        forced = {**CONFIRMED, "force": "on", "reason": "urgent", "when": "2999-01-01T10:00", "clock": "mine"}
        ticked = {"action": "call_now_selected", ACTION_CHECKBOX_NAME: [str(callback.pk)], **forced}
        listed = reverse("admin:callbacks_callback_changelist") + "?queue=all_pending"
        promise = {**forced, "who": callback.contact.public_id, "campaign": "", "type": "manual", "notes": ""}
        before = rows_of_all_tables(here)

        pressed = browser.post(reverse("admin:callbacks_callback_call_now", args=[callback.pk]), forced)
        many = browser.post(listed, ticked)
        job = browser.post(listed, {**ticked, "_all_matching": "1"})
        promised = browser.post(reverse("admin:callbacks_callback_promise"), promise)

        assert pressed.status_code == 403
        assert "1 not: your role in its workspace does not allow it" in said(many)
        assert "No callback is left" in said(job)
        assert "Your role in the contact" in promised.content.decode()
        assert rows_of_all_tables(here) == before

    def test_users_are_for_superusers_alone(self, here: Workspace) -> None:
        owner, other = browser_of(here, role="owner"), User.objects.create(username="max")

        for name in ("add", "changelist"):
            assert owner.get(reverse(f"admin:auth_user_{name}")).status_code == 403
        for name in ("change", "delete", "history", "password_change"):
            url = reverse(f"admin:auth_user_{name}", args=[other.pk])
            assert owner.get(url).status_code == 403
            assert owner.post(url, {"is_superuser": "on", "post": "yes"}).status_code == 403

    @pytest.mark.parametrize("name", ["callbacks_campaign_preview", "callbacks_policy_preview"])
    def test_previews_are_for_members(self, here: Workspace, name: str) -> None:
        assert browser_of(None).post(reverse(f"admin:{name}")).status_code == 403
        assert browser_of(here, role="viewer").post(reverse(f"admin:{name}")).status_code == 200


class TestElsewhere:
    def test_the_table_knows_every_route(self) -> None:
        local = {route for route, guard in ELSEWHERE.items() if guard == "local demo only"}

        assert routes_elsewhere() | local == set(ELSEWHERE)

    @pytest.mark.parametrize("path", ["/carriers/simulated/", "/carriers/simulated/messages/"])
    @pytest.mark.parametrize("signature", [None, "", "00" * 32, "v1=" + "00" * 32])
    def test_a_carriers_word_counts_only_with_its_signature(self, path: str, signature: str | None) -> None:
        headers = {} if signature is None else {"X-Carrier-Signature": signature, "X-Carrier-Timestamp": "1700000000"}
        report = b'{"reports": [{"kind": "ended", "event_id": "1", "outcome": "dnc_request"}]}'

        answer = Client().post(path, report, content_type="application/json", headers=headers)

        assert answer.status_code == 401
        assert not CarrierEvent.objects.exists()
        assert not Message.objects.exists()

    @pytest.mark.parametrize("path", ["/carriers/nobody/", "/carriers/nobody/messages/"])
    def test_an_unknown_carrier_has_no_word(self, path: str) -> None:
        assert Client().post(path, b"{}", content_type="application/json").status_code == 404

    @pytest.mark.parametrize("query", ["", "?expires=9999999999&signature=", "?expires=9999999999&signature=00"])
    def test_a_report_is_nothing_without_its_signature(self, here: Workspace, query: str) -> None:
        campaign = row_in(here, "dialer_campaign")

        answer = Client().get(f"/reports/{campaign.public_id}/campaign_report.csv{query}")

        assert answer.status_code == 404

    def test_an_invitation_with_a_wrong_token_sets_no_password(self) -> None:
        user = User.objects.create(username="max")
        url = reverse("invitation", args=["MQ", f"abc-{secrets.token_hex(16)}"])
        password = {"new_password1": "correct horse battery", "new_password2": "correct horse battery"}

        answer = Client().post(url, password)

        user.refresh_from_db()
        assert "does not work" in answer.content.decode()
        assert not user.has_usable_password() or not user.password


def url_of(workspace: Workspace, page: str, door: str) -> str:
    arguments = () if door in NO_ROW else (row_in(workspace, page).pk,)
    return reverse(f"admin:{page}_{door}", args=arguments)


def filled_in(action: str) -> dict[str, str]:
    """Return what the form of a list's action must have."""
    return {"when": "2999-01-01T10:00", "clock": "mine"} if action == "reschedule_selected" else {}
