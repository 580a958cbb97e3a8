"""``python -m bench.peers.django_webhook.publish FACTS PORT…``: makes the tables and the receivers, saves facts."""

import sys

from bench.peers.django_webhook.worker import app

assert app  # its set-up of Django comes before models

from django.core.management import call_command  # noqa: E402
from django_webhook.models import Webhook, WebhookTopic  # noqa: E402

from bench.peers.django_webhook.models import Fact  # noqa: E402

PADDING = "x" * 700
"""Makes a body of about 1 KB, as Ringback's."""


def main() -> None:
    facts, *ports = map(int, sys.argv[1:])
    call_command("migrate", run_syncdb=True, verbosity=0)
    topic, _ = WebhookTopic.objects.get_or_create(name="facts.Fact/create")
    for port in ports:
        webhook, is_new = Webhook.objects.get_or_create(url=f"http://127.0.0.1:{port}/")
        if is_new:
            webhook.topics.add(topic)
            webhook.secrets.create(token="a secret of this bench")  # noqa: S106 — guards nothing
    for number in range(facts):
        Fact(number=number, transcript=PADDING).save()


if __name__ == "__main__":
    main()
