"""The pages of webhooks as a browser asks for them."""

import html
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from dialer.workspaces.ids import public_id
from dialer.workspaces.models import AuditEntry, Member, Workspace
from tests.admin.people import browser_of
from tests.factories import make_campaign, make_workspace
from tests.webhooks.name_server import start_name_server
from tests.webhooks.receivers import Receivers
from tests.webhooks.rows import NOW, SECRET, event_of, make_delivery, make_endpoint, new_event, record
from webhooks import batches
from webhooks.models import BatchItem, Delivery, DeliveryAttempt, Endpoint
from webhooks.outbox import NewItem
from webhooks.rules.custom_headers import MASK
from webhooks.rules.statuses import BatchType

pytestmark = pytest.mark.django_db

CONFIRMED = {"_form_submitted": "True"}


@pytest.fixture
def workspace() -> Workspace:
    return make_workspace()


@pytest.fixture
def browser(workspace: Workspace) -> Client:
    user = User.objects.create(username="olga", is_staff=True)
    Member.objects.create(workspace=workspace, user=user, role="manager")
    client = Client()
    client.force_login(user)
    return client


def page(kind: str, name: str, *arguments: object) -> str:
    return reverse(f"admin:webhooks_{kind}_{name}", args=arguments)


def filled_in(workspace: Workspace, **fields: Any) -> dict[str, Any]:
    return {
        "workspace": str(workspace.pk),
        "name": "CRM",
        "url": "https://9.9.9.9/hook",
        "description": "",
        "events": ["call.ended", "call.started"],
        "profile": "envelope",
        "batch_size": "100",
        "batch_wait_seconds": "5",
        "scope_type": "workspace",
        "scope": "",
        "signing_method": "hmac_sha256",
        "new_secret": "",
        "timeout_seconds": "5",
        "max_retries": "3",
        "backoff_ms": "500",
        "max_in_flight": "8",
        "rate_per_second": "",
        "retry_on": ["429"],
        "headers": "{}",
        **fields,
    }


def said(response: Any) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def make_attempt(delivery: Delivery, **fields: Any) -> DeliveryAttempt:
    fields = {"number": 1, "started_at": NOW, "url": delivery.endpoint.url, "total_ms": 12.5, **fields}
    attempt: DeliveryAttempt = DeliveryAttempt.objects.create(delivery=delivery, **fields)
    return attempt


def test_a_filled_in_form_makes_an_endpoint_and_shows_its_secret_once(browser: Client, workspace: Workspace) -> None:
    assert browser.get(page("endpoint", "add")).status_code == 200

    response = browser.post(page("endpoint", "add"), filled_in(workspace))

    endpoint = Endpoint.objects.get()
    assert response.status_code == 200
    assert (endpoint.events, endpoint.retry_on) == (["call.ended", "call.started"], [429])
    assert endpoint.secret in html.unescape(response.content.decode())
    assert endpoint.secret not in said(response), "notices travel in a cookie"
    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.actor_kind, entry.actor_label) == ("create", "user", "olga")
    shown = browser.get(page("endpoint", "change", endpoint.pk)).content.decode()
    assert browser.get(page("endpoint", "change", endpoint.pk)).status_code == 200
    assert endpoint.public_id in shown
    later = browser.get(page("endpoint", "change", endpoint.pk)).content.decode()
    assert endpoint.secret not in html.unescape(later)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"url": "http://169.254.169.254/latest"}, "link-local"),
        ({"scope_type": "campaign", "scope": ""}, "is required: which campaign"),
        ({"scope_type": "campaign", "scope": "per_123"}, "is not an id of the form camp_"),
        ({"signing_method": "basic_auth", "new_secret": "no colon"}, "user:password"),
        ({"headers": '{"Host": "x"}'}, "must not set Host"),
        ({"max_retries": "99"}, "15"),
    ],
)
def test_a_form_says_what_is_wrong_beside_its_field(
    browser: Client, workspace: Workspace, fields: dict[str, str], reason: str
) -> None:
    response = browser.post(page("endpoint", "add"), filled_in(workspace, **fields))

    assert response.status_code == 200
    assert reason in html.unescape(response.content.decode())
    assert not Endpoint.objects.exists()


def test_a_name_that_leads_inside_is_refused_on_the_form(
    browser: Client, workspace: Workspace, servers: Receivers, settings: Any
) -> None:
    settings.WEBHOOK_DNS_SERVERS = [servers.call(start_name_server({"crm.example": ["10.0.0.7"]})).address]

    response = browser.post(page("endpoint", "add"), filled_in(workspace, url="https://crm.example/hook"))

    assert "10.0.0.7 is private" in html.unescape(response.content.decode())
    assert not Endpoint.objects.exists()


def test_a_scope_is_named_by_its_public_id(browser: Client, workspace: Workspace) -> None:
    campaign = make_campaign(workspace)

    browser.post(page("endpoint", "add"), filled_in(workspace, scope_type="campaign", scope=campaign.public_id))

    endpoint = Endpoint.objects.get()
    assert endpoint.scope_id == campaign.pk
    shown = browser.get(page("endpoint", "change", endpoint.pk)).content.decode()
    assert campaign.public_id in shown


def test_an_edit_keeps_the_secret_that_it_does_not_show(browser: Client, workspace: Workspace) -> None:
    endpoint = make_endpoint(workspace)
    form = filled_in(workspace, name="New name")
    del form["workspace"]

    response = browser.post(page("endpoint", "change", endpoint.pk), form)

    assert response.status_code == 302
    endpoint.refresh_from_db()
    assert (endpoint.name, endpoint.secret) == ("New name", SECRET)
    assert AuditEntry.objects.get().verb == "edit"


@pytest.mark.parametrize("verb", ["send_test", "switch_off", "rotate_secret"])
def test_a_button_asks_before_it_does_anything(browser: Client, workspace: Workspace, verb: str) -> None:
    endpoint = make_endpoint(workspace)

    asked = browser.get(page("endpoint", verb, endpoint.pk))

    assert asked.status_code == 200
    assert "csrfmiddlewaretoken" in asked.content.decode()
    assert not AuditEntry.objects.exists()


def test_the_buttons_do_what_they_say(browser: Client, workspace: Workspace) -> None:
    endpoint = make_endpoint(workspace)

    def press(verb: str, **fields: str) -> str:
        response = browser.post(page("endpoint", verb, endpoint.pk), {**CONFIRMED, **fields})
        assert response.status_code == 302
        assert response.headers["Location"] == page("endpoint", "change", endpoint.pk)
        return said(response)

    assert "A test is on its way: dlv_" in press("send_test", event="webhook.test")
    assert "rotate first" in press("promote_secret")
    rotated = browser.post(page("endpoint", "rotate_secret", endpoint.pk), CONFIRMED)
    endpoint.refresh_from_db()
    assert endpoint.next_secret is not None
    assert endpoint.next_secret in html.unescape(rotated.content.decode())
    assert endpoint.next_secret not in said(rotated), "notices travel in a cookie"
    press("promote_secret")
    assert "is paused" in press("pause")
    assert "cannot become paused" in press("pause")
    press("resume")
    press("switch_off")
    refused = browser.post(page("endpoint", "send_test", endpoint.pk), {**CONFIRMED, "event": "webhook.test"})
    assert "The endpoint is switched off." in refused.content.decode()
    press("switch_on")
    assert "cannot become active" in press("switch_on")
    verbs = list(AuditEntry.objects.order_by("id").values_list("verb", flat=True))
    assert verbs == ["test", "rotate_secret", "promote_secret", "pause", "resume", "deactivate", "activate"]


def test_a_secret_that_is_brought_is_not_shown_again(browser: Client, workspace: Workspace) -> None:
    endpoint = make_endpoint(workspace)

    response = browser.post(page("endpoint", "rotate_secret", endpoint.pk), {**CONFIRMED, "secret": "brought along"})

    assert "brought along" not in said(response) + response.content.decode()
    endpoint.refresh_from_db()
    assert endpoint.next_secret == "brought along"  # noqa: S105


def test_htmx_is_told_where_to_go(browser: Client, workspace: Workspace) -> None:
    endpoint = make_endpoint(workspace)

    asked = {**CONFIRMED, "event": "webhook.test"}
    response = browser.post(page("endpoint", "send_test", endpoint.pk), asked, headers={"HX-Request": "true"})

    assert response.status_code == 200
    assert response.headers["HX-Redirect"] == page("endpoint", "change", endpoint.pk)


def test_deleting_an_endpoint_keeps_its_deliveries(browser: Client, workspace: Workspace) -> None:
    delivery = make_delivery(make_endpoint(workspace))

    response = browser.post(page("endpoint", "delete", delivery.endpoint.pk), {"post": "yes"})

    assert response.status_code == 302
    assert Delivery.objects.get() == delivery
    assert browser.get(page("endpoint", "change", delivery.endpoint.pk)).status_code == 302
    assert AuditEntry.objects.get().verb == "delete"


def test_a_delivery_shows_what_was_sent_and_every_attempt(browser: Client, workspace: Workspace) -> None:
    delivery = make_delivery(make_endpoint(workspace), data={"name": "<b>Zoë</b>"})
    make_attempt(delivery, status_code=503, error="http_503", answer=b"\x00\xff<script>", address="127.0.0.1")

    shown = browser.get(page("delivery", "change", delivery.pk)).content.decode()

    assert "&lt;b&gt;Zoë&lt;/b&gt;" in shown
    assert "http_503" in shown
    assert "&lt;script&gt;" in shown
    assert "<b>Zoë" not in shown


def test_a_delivery_is_sent_once_more_from_its_page_and_from_the_list(browser: Client, workspace: Workspace) -> None:
    one, other, pending = (make_delivery(make_endpoint(workspace, events=["call.ended"])) for _ in range(3))
    Delivery.objects.filter(endpoint__in=[one.endpoint, other.endpoint]).update(status="failed", settled_at=NOW)
    Delivery.objects.exclude(pk__in=[one.pk, other.pk, pending.pk]).delete()

    browser.post(page("delivery", "redeliver", one.pk), CONFIRMED)
    response = browser.post(
        page("delivery", "changelist"),
        {"action": "redeliver_selected", "_selected_action": [str(other.pk), str(pending.pk)]},
    )

    assert set(Delivery.objects.values_list("status", flat=True)) == {"pending"}
    assert said(response).endswith(" 1 on their way again, 1 already pending.")


def test_nothing_of_another_workspace_is_seen_or_done(browser: Client, workspace: Workspace) -> None:
    foreign = make_delivery(make_endpoint(name="Their receiver"))
    Delivery.objects.update(status="failed", settled_at=NOW)

    for kind, row in (("delivery", foreign), ("endpoint", foreign.endpoint), ("event", event_of(foreign))):
        listed = browser.get(page(kind, "changelist")).content.decode()
        assert str(row.pk) not in listed
        assert row.public_id not in listed
    for kind, row in (("delivery", foreign), ("endpoint", foreign.endpoint), ("event", event_of(foreign))):
        assert browser.get(page(kind, "change", row.pk)).status_code == 302
    assert "Their receiver" not in browser.get(page("delivery", "changelist")).content.decode()
    browser.post(page("delivery", "redeliver", foreign.pk), CONFIRMED)
    browser.post(page("delivery", "replay_items", foreign.pk), CONFIRMED)
    browser.post(page("endpoint", "switch_off", foreign.endpoint.pk), CONFIRMED)
    refused = browser.post(page("endpoint", "add"), filled_in(foreign.workspace))

    assert refused.status_code == 200
    assert not AuditEntry.objects.exists()
    foreign.refresh_from_db()
    assert foreign.status == "failed"


def test_who_may_only_look_has_no_buttons(workspace: Workspace) -> None:
    viewer = User.objects.create(username="vera", is_staff=True)
    Member.objects.create(workspace=workspace, user=viewer, role="viewer")
    browser = Client()
    browser.force_login(viewer)
    endpoint = make_endpoint(workspace)

    shown = browser.get(page("endpoint", "change", endpoint.pk))

    assert shown.status_code == 200
    assert "Rotate secret" not in shown.content.decode()
    assert browser.post(page("endpoint", "rotate_secret", endpoint.pk), CONFIRMED).status_code == 403
    assert browser.get(page("endpoint", "add")).status_code == 403


def test_history_cannot_be_edited_added_or_deleted(browser: Client, workspace: Workspace) -> None:
    delivery = make_delivery(make_endpoint(workspace))

    for kind, row in (("delivery", delivery), ("event", event_of(delivery))):
        assert browser.get(page(kind, "change", row.pk)).status_code == 200
        assert browser.get(page(kind, "add")).status_code == 403
        assert browser.post(page(kind, "delete", row.pk), {"post": "yes"}).status_code == 403
    browser.post(page("delivery", "change", delivery.pk), {"status": "delivered", "due_at_0": "2020-01-01"})

    delivery.refresh_from_db()
    assert (delivery.status, delivery.due_at) == ("pending", NOW)


@pytest.mark.parametrize("kind", ["endpoint", "delivery", "event"])
def test_a_list_asks_as_much_for_one_row_as_for_ten(browser: Client, workspace: Workspace, kind: str) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(page(kind, "changelist")).status_code == 200
        return len(queries)

    make_delivery(make_endpoint(workspace))
    statements()
    few = statements()
    for _ in range(9):
        make_delivery(make_endpoint(workspace, events=["call.ended"]))

    assert statements() == few


def test_rows_are_found_by_public_id(browser: Client, workspace: Workspace) -> None:
    call_id = uuid4()
    wanted = make_delivery(make_endpoint(workspace), call_id=call_id)
    other = make_delivery(wanted.endpoint)

    for term in (wanted.public_id, event_of(wanted).public_id, public_id("call", call_id)):
        listed = browser.get(page("delivery", "changelist"), {"q": term}).content.decode()
        assert str(wanted.pk) in listed
        assert str(other.pk) not in listed
    for term in ("CRM", "dlv_nonsense"):
        assert str(wanted.pk) not in browser.get(page("delivery", "changelist"), {"q": term}).content.decode()
    by_name = browser.get(page("endpoint", "changelist"), {"q": "crm"}).content.decode()
    assert str(wanted.endpoint.pk) in by_name


def test_deliveries_are_filtered_by_endpoint_and_events_by_type(browser: Client, workspace: Workspace) -> None:
    wanted = make_delivery(make_endpoint(workspace))
    other = make_delivery(make_endpoint(workspace, events=["call.started"]), type="call.started")
    Delivery.objects.filter(endpoint=wanted.endpoint).exclude(pk=wanted.pk).delete()

    listed = browser.get(page("delivery", "changelist"), {"endpoint": wanted.endpoint.public_id}).content.decode()
    assert str(wanted.pk) in listed
    assert str(other.pk) not in listed
    events = browser.get(page("event", "changelist"), {"type": "call.started"}).content.decode()
    assert str(other.event_id) in events
    assert str(wanted.event_id) not in events


def test_a_batch_that_failed_can_be_sent_item_by_item(browser: Client, workspace: Workspace) -> None:
    endpoint = make_endpoint(workspace, profile="batch", batch_wait_seconds=0)
    item = NewItem(type=BatchType.SMS_SENT, render=lambda _: {"message": "Zoë"})
    record(new_event(workspace, type="message.sent", batch=item))
    batches.freeze_due(now=NOW)
    Delivery.objects.update(status="failed", settled_at=NOW)
    batch = Delivery.objects.get(endpoint=endpoint)

    shown = browser.get(page("delivery", "change", batch.pk)).content.decode()
    of_event = browser.get(page("event", "change", BatchItem.objects.get().event_id)).content.decode()
    answer = browser.post(page("delivery", "replay_items", batch.pk), CONFIRMED)

    assert "Zoë" in shown
    assert batch.public_id in of_event
    assert "Items on their way separately: 1." in said(answer)
    assert Delivery.objects.filter(status="pending", batch_type="SMSSent").exclude(event=None).count() == 1


def test_the_form_shows_custom_headers_without_their_values_and_keeps_what_it_shows(
    browser: Client, workspace: Workspace
) -> None:
    endpoint = make_endpoint(workspace, url="https://9.9.9.9/hook", custom_headers={"X-Api-Key": "hush"})
    change = page("endpoint", "change", endpoint.pk)

    shown = html.unescape(browser.get(change).content.decode())
    kept = browser.post(change, filled_in(workspace, headers=f'{{"X-Api-Key": "{MASK}", "X-New": "new"}}'))

    assert f'{{"X-Api-Key": "{MASK}"}}' in shown
    assert "hush" not in shown
    assert kept.status_code == 302
    endpoint.refresh_from_db()
    assert endpoint.custom_headers == {"X-Api-Key": "hush", "X-New": "new"}
    emptied = browser.post(change, filled_in(workspace, headers=""))
    assert (emptied.status_code, Endpoint.objects.get().custom_headers) == (302, {})


def test_whoever_may_only_look_sees_the_names_of_custom_headers(workspace: Workspace) -> None:
    endpoint = make_endpoint(workspace, custom_headers={"X-Api-Key": "hush"})
    shown = browser_of(workspace, role="viewer").get(page("endpoint", "change", endpoint.pk)).content.decode()

    assert "X-Api-Key" in shown
    assert "hush" not in shown


def test_the_list_says_what_a_delivery_waits_for(browser: Client, workspace: Workspace) -> None:
    endpoint = make_endpoint(workspace, ordered=True)
    chain = uuid4()
    first, second = (make_delivery(endpoint, chain_id=chain) for _ in range(2))

    for address in (page("delivery", "changelist"), page("delivery", "change", second.pk)):
        assert f"waits for {first.public_id}" in browser.get(address).content.decode()
