"""``python -m tests.chaos.webhook_worker``: a webhook worker that dies by plan, and is there again at once."""

from dataclasses import replace
from datetime import timedelta

import django

django.setup()

from tests.chaos.faults import life  # noqa: E402 — Django is set up first
from tests.chaos.inbox import signature_of  # noqa: E402
from tests.chaos.lives import live  # noqa: E402
from tests.chaos.plan import WebhookPoint, fate  # noqa: E402
from webhooks import delivery, tasks  # noqa: E402
from webhooks.transport import Answer, Request, Transport  # noqa: E402

GRACE = timedelta(seconds=1)
"""What a dead worker held is another's soon, or thirty deaths would take a quarter of an hour."""
STATEMENTS = {"/* settle */": WebhookPoint.BEFORE_RECORD}


class DeadlyTransport(Transport):
    """Posts as ever and says which life it is, unless this is where the worker dies."""

    def start(self, request: Request) -> None:
        headers = [(name, value) for name, value in request.headers if name != "User-Agent"]
        request = replace(request, headers=[*headers, ("User-Agent", signature_of(life()))])
        if fate().is_here(WebhookPoint.BEFORE_REQUEST):
            fate().die(WebhookPoint.BEFORE_REQUEST)
        super().start(request)

    def run(self, seconds: float) -> list[Answer]:
        answers = super().run(seconds)
        if self.in_flight and fate().is_here(WebhookPoint.BEFORE_ANSWER):
            fate().die(WebhookPoint.BEFORE_ANSWER)
        return answers


if __name__ == "__main__":
    tasks.Transport = DeadlyTransport  # type: ignore[attr-defined]
    delivery.GRACE = GRACE
    live("webhooks", STATEMENTS)
