import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.db import connection
from standardwebhooks import Webhook

from dialer.workspaces.audit import Actor
from dialer.workspaces.models import AuditEntry, Workspace
from dialer.workspaces.transitions import TransitionConflict
from tests.factories import make_workspace
from tests.webhooks.rows import NOW, SECRET, make_delivery, make_endpoint, new_event, record
from webhooks import endpoints
from webhooks.endpoint_settings import InvalidEndpoint
from webhooks.endpoints import EndpointInactive, NothingToPromote, NothingToSign
from webhooks.models import Delivery, Endpoint
from webhooks.rules.custom_headers import MASK

pytestmark = pytest.mark.django_db

OPERATOR = Actor(kind="user", id="7", label="Olga")
LATER = NOW + timedelta(hours=1)


def create(workspace: Workspace | None = None, **fields: Any) -> endpoints.WithSecret:
    fields = {"name": "CRM", "url": "https://crm.example.com/hook", "events": ["*"], **fields}
    return endpoints.create((workspace or make_workspace()).id, actor=OPERATOR, now=NOW, **fields)


def edit(endpoint: Endpoint, **fields: Any) -> endpoints.WithSecret:
    return endpoints.edit(endpoint.id, workspace_id=endpoint.workspace_id, actor=OPERATOR, now=LATER, **fields)


def do(verb: Any, row: Endpoint | Delivery, **options: Any) -> Any:
    return verb(row.id, workspace_id=row.workspace_id, actor=OPERATOR, now=LATER, **options)


def settle(delivery: Delivery, status: str) -> None:
    Delivery.objects.filter(pk=delivery.pk).update(status=status, settled_at=NOW, failures=4)


def verbs() -> list[str]:
    return list(AuditEntry.objects.order_by("id").values_list("verb", flat=True))


def test_a_new_endpoint_has_the_reference_defaults_and_a_secret_that_standard_libraries_take() -> None:
    made = create()

    endpoint = Endpoint.objects.get()
    assert (endpoint.timeout_seconds, endpoint.max_retries, endpoint.backoff_ms) == (5, 3, 500)
    assert (endpoint.signing_method, endpoint.profile, endpoint.is_active) == ("hmac_sha256", "envelope", True)
    assert made.secret is not None
    assert made.secret == endpoint.secret
    Webhook(made.secret)
    assert made.secret not in repr(made)


def test_an_endpoint_for_arrays_takes_the_five_names_of_the_reference_or_ours_that_mean_them() -> None:
    theirs = create(profile="batch", events=["CallComplete", "SMSSent"]).endpoint
    ours = create(
        profile="batch", events=["call.attempted", "call.exhausted", "call.analyzed", "message.sent"]
    ).endpoint

    assert theirs.events == ["CallComplete", "SMSSent"]
    assert ours.events == ["CallAttempted", "CallComplete", "SMSSent"]
    assert (ours.batch_size, ours.batch_wait_seconds) == (100, 5)


def test_an_endpoint_that_changes_its_format_says_its_events_in_the_words_of_the_new_one() -> None:
    endpoint = create(events=["call.attempted", "message.sent"]).endpoint

    changed = edit(endpoint, profile="batch").endpoint

    assert (changed.profile, changed.events) == ("batch", ["CallAttempted", "SMSSent"])
    with pytest.raises(InvalidEndpoint) as refused:
        edit(endpoint, profile="envelope")
    assert list(refused.value.errors) == ["events"]
    assert edit(endpoint, profile="envelope", events=["call.ended"]).endpoint.events == ["call.ended"]


def test_no_secret_and_no_header_reaches_the_audit() -> None:
    made = create(custom_headers={"X-Token": "hush"})
    rotated = do(endpoints.rotate_secret, made.endpoint)
    edit(made.endpoint, secret="another secret")  # noqa: S106

    said = repr(list(AuditEntry.objects.values_list("from_state", "to_state")))
    assert not any(str(hidden) in said for hidden in (made.secret, rotated.secret, "another secret", "hush"))
    assert verbs() == ["create", "rotate_secret", "edit"]


@pytest.mark.parametrize(
    ("method", "shape"),
    [("bearer", r"[\w-]{40,}"), ("basic_auth", r"ringback:[\w-]{40,}"), ("hmac_sha1", r"whsec_.{40,}")],
)
def test_a_secret_that_is_made_fits_its_method(method: str, shape: str) -> None:
    made = create(signing_method=method)

    assert re.fullmatch(shape, made.secret or "")


def test_an_endpoint_that_signs_nothing_has_no_secret() -> None:
    made = create(signing_method="none")

    assert made.secret is None
    with pytest.raises(NothingToSign):
        do(endpoints.rotate_secret, made.endpoint)


@pytest.mark.parametrize(
    ("fields", "at_fault"),
    [
        ({"url": "ftp://example.com"}, {"url"}),
        ({"url": "http://10.1.2.3/hook"}, {"url"}),
        ({"url": "http://0x0a000001/"}, {"url"}),
        ({"url": 5}, {"url"}),
        ({"name": " "}, {"name"}),
        ({"name": "a\x00b"}, {"name"}),
        ({"name": "x" * 201}, {"name"}),
        ({"events": []}, {"events"}),
        ({"events": "*"}, {"events"}),
        ({"events": ["call.begun"]}, {"events"}),
        ({"events": [["*"]]}, {"events"}),
        ({"scope_type": "planet"}, {"scope_type"}),
        ({"scope_type": "campaign"}, {"scope_id"}),
        ({"scope_id": uuid4()}, {"scope_id"}),
        ({"profile": "status"}, {"profile"}),
        ({"events": ["CallComplete"]}, {"events"}),
        ({"profile": "batch", "events": ["campaign.ended"]}, {"events"}),
        ({"batch_size": 0, "batch_wait_seconds": -1}, {"batch_size", "batch_wait_seconds"}),
        ({"batch_size": 1001}, {"batch_size"}),
        ({"signing_method": "md5"}, {"signing_method"}),
        ({"signing_method": "none", "secret": "x"}, {"secret"}),
        ({"signing_method": "basic_auth", "secret": "no colon"}, {"secret"}),
        ({"secret": "whsec_not base64"}, {"secret"}),
        ({"secret": ""}, {"secret"}),
        ({"timeout_seconds": 31}, {"timeout_seconds"}),
        ({"timeout_seconds": float("nan")}, {"timeout_seconds"}),
        ({"timeout_seconds": True}, {"timeout_seconds"}),
        ({"max_retries": 16, "backoff_ms": 0, "max_in_flight": 0}, {"max_retries", "backoff_ms", "max_in_flight"}),
        ({"max_retries": 1.5}, {"max_retries"}),
        ({"rate_per_second": 0}, {"rate_per_second"}),
        ({"retry_on": [404]}, {"retry_on"}),
        ({"retry_on": [[408]]}, {"retry_on"}),
        ({"custom_headers": {"Host": "x"}}, {"custom_headers"}),
        ({"custom_headers": ["x"]}, {"custom_headers"}),
        ({"signing_method": "bearer", "custom_headers": {"Authorization": "x"}}, {"custom_headers"}),
    ],
)
def test_what_breaks_a_bound_is_refused_by_name(fields: dict[str, Any], at_fault: set[str]) -> None:
    with pytest.raises(InvalidEndpoint) as refused:
        create(**fields)

    assert refused.value.errors.keys() == at_fault
    assert not Endpoint.objects.exists()


def test_name_url_and_events_must_be_given() -> None:
    with pytest.raises(InvalidEndpoint) as refused:
        endpoints.create(make_workspace().id, actor=OPERATOR, now=NOW)

    assert refused.value.errors.keys() == {"name", "url", "events"}


def test_a_private_address_may_be_named_where_the_setting_lists_its_network(settings: Any) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["10.0.0.0/8"]

    assert create(url="http://10.1.2.3/hook").endpoint.url == "http://10.1.2.3/hook"


def test_an_edit_changes_what_is_given_and_keeps_the_secret() -> None:
    endpoint = create().endpoint

    edited = edit(endpoint, url="https://new.example.com/", max_retries=5)

    kept = Endpoint.objects.get()
    assert (kept.url, kept.max_retries, kept.secret) == ("https://new.example.com/", 5, endpoint.secret)
    assert edited.secret is None
    entry = AuditEntry.objects.get(verb="edit")
    assert entry.to_state == {"url": "https://new.example.com/", "max_retries": 5}


def test_an_edit_that_changes_nothing_leaves_no_audit_entry() -> None:
    endpoint = create().endpoint

    edit(endpoint, name="CRM")

    assert verbs() == ["create"]


def test_a_method_that_cannot_use_the_secret_gets_one_that_is_shown() -> None:
    endpoint = make_endpoint(secret="not a user and password")  # noqa: S106

    assert edit(endpoint, signing_method="hmac_sha1").secret is None
    made = edit(endpoint, signing_method="basic_auth").secret

    assert made is not None
    assert Endpoint.objects.get().secret == made


def test_a_method_is_refused_whose_header_is_a_custom_one_already() -> None:
    endpoint = make_endpoint(custom_headers={"Authorization": "Basic dXNlcjpwYXNz"})

    with pytest.raises(InvalidEndpoint) as refused:
        edit(endpoint, signing_method="bearer")

    assert refused.value.errors.keys() == {"custom_headers"}


def test_a_scope_is_left_for_the_workspace_as_a_whole() -> None:
    endpoint = make_endpoint(scope_type="campaign", scope_id=uuid4())

    edit(endpoint, scope_type="workspace")

    assert Endpoint.objects.get().scope_id is None


def test_a_rotated_secret_waits_beside_the_old_one_until_it_is_promoted() -> None:
    endpoint = make_endpoint()

    rotated = do(endpoints.rotate_secret, endpoint)

    endpoint.refresh_from_db()
    assert (endpoint.secret, endpoint.next_secret, endpoint.rotated_at) == (SECRET, rotated.secret, LATER)

    do(endpoints.promote_secret, endpoint)

    endpoint.refresh_from_db()
    assert (endpoint.secret, endpoint.next_secret, endpoint.rotated_at) == (rotated.secret, None, None)
    with pytest.raises(NothingToPromote):
        do(endpoints.promote_secret, endpoint)


def test_a_secret_that_is_given_replaces_one_that_was_rotated_in_too() -> None:
    endpoint = make_endpoint()
    do(endpoints.rotate_secret, endpoint)

    edit(endpoint, secret="given since")  # noqa: S106

    endpoint.refresh_from_db()
    assert (endpoint.secret, endpoint.next_secret, endpoint.rotated_at) == ("given since", None, None)


def test_a_rotated_secret_that_is_brought_must_fit_the_method() -> None:
    endpoint = make_endpoint(signing_method="basic_auth", secret="user:password")  # noqa: S106

    with pytest.raises(InvalidEndpoint):
        do(endpoints.rotate_secret, endpoint, secret="no colon")  # noqa: S106

    assert do(endpoints.rotate_secret, endpoint, secret="user:new").secret == "user:new"  # noqa: S105, S106


def test_a_test_reaches_only_its_endpoint_whatever_it_subscribes_to() -> None:
    workspace = make_workspace()
    make_endpoint(workspace)
    endpoint = make_endpoint(workspace, events=["call.started"])

    delivery = do(endpoints.send_test, endpoint)

    assert Delivery.objects.get() == delivery
    assert (delivery.event.type, delivery.status, delivery.due_at) == ("webhook.test", "pending", LATER)


def test_what_an_endpoint_that_is_off_misses_is_kept_and_it_cannot_be_tested() -> None:
    endpoint = make_endpoint()

    do(endpoints.deactivate, endpoint)

    record(new_event(endpoint.workspace))
    endpoints.suppress_unheard(now=NOW, limit=10)
    assert Delivery.objects.get().status == "suppressed"
    with pytest.raises(EndpointInactive):
        do(endpoints.send_test, endpoint)
    with pytest.raises(TransitionConflict):
        do(endpoints.deactivate, endpoint)

    do(endpoints.activate, endpoint)

    record(new_event(endpoint.workspace))
    assert Delivery.objects.filter(status="pending").count() == 1
    assert verbs() == ["deactivate", "activate"]


def test_a_deleted_endpoint_is_gone_for_every_verb_and_its_deliveries_stay() -> None:
    endpoint = make_endpoint()
    delivery = make_delivery(endpoint)

    do(endpoints.delete, endpoint)

    endpoint.refresh_from_db()
    assert (endpoint.is_active, endpoint.secret) == (False, None)
    for verb in (endpoints.activate, endpoints.send_test, endpoints.rotate_secret, endpoints.delete):
        with pytest.raises(ObjectDoesNotExist):
            do(verb, endpoint)
    assert Delivery.objects.get() == delivery


def test_what_waits_for_an_endpoint_that_is_off_is_suppressed_a_stretch_at_a_time() -> None:
    on, off = make_endpoint(), make_endpoint()
    kept = make_delivery(on)
    unheard = [make_delivery(off) for _ in range(3)]
    being_sent = make_delivery(off)
    Delivery.objects.filter(pk=being_sent.pk).update(lease_until=LATER + timedelta(seconds=1))
    do(endpoints.deactivate, off)

    counts = [endpoints.suppress_unheard(now=LATER, limit=2) for _ in range(3)]

    assert counts == [2, 1, 0]
    statuses = dict(Delivery.objects.values_list("id", "status"))
    assert [statuses[delivery.id] for delivery in unheard] == ["suppressed"] * 3
    assert statuses[kept.id] == statuses[being_sent.id] == "pending"
    assert endpoints.suppress_unheard(now=LATER + timedelta(seconds=2), limit=2) == 1


@pytest.mark.parametrize("status", ["delivered", "failed", "suppressed"])
def test_a_settled_delivery_can_be_sent_once_more_with_all_its_retries(status: str) -> None:
    delivery = make_delivery(make_endpoint())
    settle(delivery, status)

    again = do(endpoints.redeliver, delivery)

    assert (again.id, again.status, again.due_at, again.failures) == (delivery.id, "pending", LATER, 0)
    assert again.settled_at is None
    with pytest.raises(TransitionConflict):
        do(endpoints.redeliver, delivery)
    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.from_state) == ("redeliver", {"status": status})


def test_nothing_is_redelivered_to_an_endpoint_that_is_off() -> None:
    delivery = make_delivery(make_endpoint())
    settle(delivery, "failed")
    do(endpoints.deactivate, delivery.endpoint)

    with pytest.raises(EndpointInactive):
        do(endpoints.redeliver, delivery)

    delivery.refresh_from_db()
    assert delivery.status == "failed"


def test_every_verb_leaves_its_entry_in_the_audit() -> None:
    endpoint = make_endpoint()

    do(endpoints.send_test, endpoint)
    do(endpoints.rotate_secret, endpoint)
    do(endpoints.promote_secret, endpoint)
    for verb in (endpoints.pause, endpoints.resume, endpoints.deactivate, endpoints.activate, endpoints.delete):
        do(verb, endpoint, reason="moving house")

    entries = AuditEntry.objects.order_by("id")
    assert [(entry.verb, entry.reason) for entry in entries] == [
        ("test", ""),
        ("rotate_secret", ""),
        ("promote_secret", ""),
        ("pause", "moving house"),
        ("resume", "moving house"),
        ("deactivate", "moving house"),
        ("activate", "moving house"),
        ("delete", "moving house"),
    ]
    assert {(entry.object_id, entry.actor_label) for entry in entries} == {(endpoint.public_id, "Olga")}


def test_another_workspace_has_no_say() -> None:
    endpoint = make_endpoint()
    delivery = make_delivery(endpoint)
    stranger = make_workspace()

    for verb, row in ((endpoints.send_test, endpoint), (endpoints.redeliver, delivery), (endpoints.delete, endpoint)):
        with pytest.raises(ObjectDoesNotExist):
            verb(row.id, workspace_id=stranger.id, actor=OPERATOR, now=NOW)


HEADERS = {"X-Api-Key": "hush", "X-Empty": ""}


def in_the_database() -> str:
    """Return all that the table of endpoints holds, with what is stored as bytes readable."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(to_jsonb(p)::text, '') FROM webhooks_endpoint p")
        (text,) = cursor.fetchone()
    found = [bytes.fromhex(each).decode("latin-1") for each in re.findall(r'"\\\\x([0-9a-f]*)"', text)]
    return str(text) + "".join(found)


def test_the_database_holds_no_custom_header() -> None:
    create(custom_headers=HEADERS)

    assert Endpoint.objects.get().custom_headers == HEADERS
    held = in_the_database()
    assert "CRM" in held
    assert "hush" not in held
    assert "hush" not in repr(Endpoint.objects.values("custom_headers").query)


def test_an_edit_keeps_the_headers_that_it_gives_masked_and_drops_those_that_it_leaves_out() -> None:
    endpoint = create(custom_headers={**HEADERS, "X-Old": "old"}).endpoint

    edit(endpoint, name="Sales")
    untouched = Endpoint.objects.get().custom_headers
    edit(endpoint, custom_headers={"X-Api-Key": MASK, "X-New": "new"})

    assert untouched == {**HEADERS, "X-Old": "old"}
    assert Endpoint.objects.get().custom_headers == {"X-Api-Key": "hush", "X-New": "new"}


def test_a_masked_header_that_is_not_stored_is_refused() -> None:
    endpoint = create(custom_headers=HEADERS).endpoint

    with pytest.raises(InvalidEndpoint, match="no stored value of X-Other"):
        create(custom_headers={"X-Other": MASK})
    with pytest.raises(InvalidEndpoint, match="no stored value of X-Other") as refused:
        edit(endpoint, custom_headers={"X-Other": MASK})
    assert refused.value.errors.keys() == {"custom_headers"}


@pytest.mark.parametrize(
    "url", ["https://evil.example/hook", "http://crm.example.com/hook", "https://crm.example.com:8443/hook"]
)
@pytest.mark.parametrize("fields", [{}, {"custom_headers": {"X-Api-Key": MASK}}])
def test_stored_headers_are_not_sent_to_another_host_by_who_does_not_know_them(
    url: str, fields: dict[str, Any]
) -> None:
    endpoint = create(custom_headers=HEADERS).endpoint

    with pytest.raises(InvalidEndpoint) as refused:
        edit(endpoint, url=url, **fields)

    assert refused.value.errors.keys() == {"custom_headers"}
    assert edit(endpoint, url="https://crm.example.com/another").endpoint.custom_headers == HEADERS
    assert edit(endpoint, url=url, custom_headers={"X-Api-Key": "known"}).endpoint.url == url


@pytest.mark.parametrize(("method", "secret"), [("bearer", "a-token"), ("basic_auth", "me:pass")])
def test_a_secret_that_is_sent_as_it_is_goes_to_no_other_host_unless_it_is_given_again(
    method: str, secret: str
) -> None:
    endpoint = create(signing_method=method, secret=secret).endpoint

    with pytest.raises(InvalidEndpoint) as refused:
        edit(endpoint, url="https://evil.example/hook")

    assert refused.value.errors.keys() == {"secret"}
    assert edit(endpoint, url="https://new.example/hook", secret=secret).endpoint.url == "https://new.example/hook"


def test_a_secret_that_signed_is_never_sent_as_it_is() -> None:
    endpoint = create(secret="it-signs").endpoint  # noqa: S106

    made = edit(endpoint, signing_method="bearer").secret

    assert made is not None
    assert made != "it-signs"


def test_a_deleted_endpoint_keeps_no_secret_and_no_header() -> None:
    endpoint = create(custom_headers=HEADERS).endpoint

    do(endpoints.delete, endpoint)

    assert Endpoint.objects.get().custom_headers == {}
