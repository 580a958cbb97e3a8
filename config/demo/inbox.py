"""The demo's inbox: an ordinary receiver of webhooks that uses the published verifier of Standard Webhooks.

Any endpoint whose URL ends in ``/demo/inbox/NAME/`` may send to it; that endpoint's secret verifies its messages.
Only people and keys of the demo's workspace read it.
"""

import json
from typing import Any, Final, NamedTuple

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe
from standardwebhooks import Webhook, WebhookVerificationError

from config.models import Demo, InboxMessage
from dialer.workspaces import api_keys
from dialer.workspaces.client import client_of
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import Workspace
from dialer.workspaces.statements import fetch
from webhooks.models import Endpoint

KEPT: Final = 20_000
SHOWN: Final = 100
LONGEST_BODY: Final = 1_048_576
"""In bytes; whoever reaches the demo may send to it."""
_SWEEP_EVERY: Final = 500
_SHOWN_HEADERS: Final = ("webhook-", "x-", "content-type", "user-agent", "authorization")


@require_safe
@never_cache
def show(request: HttpRequest) -> HttpResponse:
    """Show the messages, newest first; ``?event=`` filters them, ``?message=`` shows one in full."""
    if not _is_let_in(request):
        return redirect_to_login(request.get_full_path())
    chosen = request.GET.get("event", "")
    rows = InboxMessage.objects.filter(**({"event": chosen} if chosen else {})).order_by("-id")
    opened = get_object_or_404(InboxMessage, message_id=request.GET["message"]) if "message" in request.GET else None
    return render(
        request,
        "demo/inbox.html",
        {
            "counts": InboxMessage.objects.aggregate(
                all=Count("id"), verified=Count("id", filter=Q(problem="")), repeated=Count("id", filter=Q(times__gt=1))
            ),
            "events": InboxMessage.objects.values("event").annotate(count=Count("id")).order_by("event"),
            "chosen": chosen,
            "rows": rows.defer("body", "headers")[:SHOWN],
            "opened": opened,
            "opened_body": _pretty(bytes(opened.body)) if opened else "",
        },
    )


@require_safe
@never_cache
def summary(request: HttpRequest) -> JsonResponse:
    """Return the demo's start and the messages as JSON, for ``make demo-check``, which sends the demo's API key."""
    if not _is_let_in(request):
        return JsonResponse({"error": "Sign in, or send an API key of the demo as bearer token."}, status=401)
    demo = Demo.objects.select_related("workspace").get()
    rows = list(InboxMessage.objects.order_by("id").values_list("message_id", "problem", "event", "times"))
    return JsonResponse(
        {
            "workspace_id": demo.workspace.public_id,
            "started_at": demo.started_at.isoformat(),
            "now": database_now().isoformat(),
            "count": len(rows),
            "verified": sum(not problem for _, problem, _, _ in rows),
            "problems": sorted({problem for _, problem, _, _ in rows if problem}),
            "ids": [message_id for message_id, _, _, _ in rows],
        }
    )


def _is_let_in(request: HttpRequest) -> bool:
    """Whether the request has a key of the demo's workspace, or comes from somebody who sees that in the admin."""
    demo = Demo.objects.first()
    if demo is None:
        return False
    if given := request.headers.get("Authorization", "").removeprefix("Bearer "):
        try:
            key = api_keys.authenticate(given, client=client_of(request), now=database_now())
        except api_keys.AddressNotAllowed:
            return False
        return key is not None and key.workspace_id == demo.workspace_id
    mine = Workspace.objects.visible_to(request.user).filter(pk=demo.workspace_id)
    return admin.site.has_permission(request) and mine.exists()


class _Kept(NamedTuple):
    id: int


@csrf_exempt
@require_POST
def receive(request: HttpRequest, name: str) -> HttpResponse:
    """Accept a webhook, verified or not; the page shows what is wrong with it."""
    headers = {key.lower(): value for key, value in request.headers.items()}
    message_id = headers.get("webhook-id", "")[:100]
    body = request.read(LONGEST_BODY + 1)
    if len(body) > LONGEST_BODY:
        return HttpResponse("the message is too large\n", status=413, content_type="text/plain")
    if not message_id:
        return HttpResponse("webhook-id is missing\n", status=400, content_type="text/plain")
    rows = fetch(
        _Kept,
        "keep_inbox_message",
        """
        INSERT INTO config_inboxmessage AS m (message_id, event, headers, body, problem, times, received_at)
        VALUES (%(message_id)s, %(event)s, %(headers)s, %(body)s, %(problem)s, 1, clock_timestamp())
        ON CONFLICT (message_id) DO UPDATE SET times = m.times + 1, problem = excluded.problem
        RETURNING id
        """,
        {
            "message_id": message_id,
            "event": _event(body)[:64],
            "headers": json.dumps({key: headers[key] for key in sorted(headers) if key.startswith(_SHOWN_HEADERS)}),
            "body": body,
            "problem": _problem(name, headers, body)[:200],
        },
    )
    if rows[0].id % _SWEEP_EVERY == 0:
        InboxMessage.objects.filter(pk__lte=rows[0].id - KEPT).delete()
    return HttpResponse(status=204)


def _problem(name: str, headers: dict[str, str], body: bytes) -> str:
    """Return why a message is not from an endpoint of this URL; empty if it is."""
    leading_here = Endpoint.objects.filter(deleted_at=None, url__endswith=f"/demo/inbox/{name}/")
    secrets = [secret for endpoint in leading_here for secret in (endpoint.secret, endpoint.next_secret) if secret]
    problem = "no endpoint with a secret leads here"
    for secret in secrets:
        try:
            Webhook(secret).verify(body, headers)
        except WebhookVerificationError as error:
            problem = str(error)
        else:
            return ""
    return problem


def _event(body: bytes) -> str:
    content: Any = _content(body)
    return str(content.get("event", "")) if isinstance(content, dict) else ""


def _pretty(body: bytes) -> str:
    content = _content(body)
    return body.decode(errors="replace") if content is None else json.dumps(content, indent=2, ensure_ascii=False)


def _content(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None


app_name = "demo"
urlpatterns = [
    path("inbox/", show, name="inbox"),
    path("inbox.json", summary, name="summary"),
    path("inbox/<slug:name>/", receive, name="receive"),
]
