"""Celery's app of the peer: ``celery --app bench.peers.django_webhook.worker``."""

import os

import django
from celery import Celery

app = Celery("peer")
app.conf.update(
    broker_url=os.environ["BROKER_URL"],
    broker_connection_retry_on_startup=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=16,  # Celery's advice for short tasks is many
    worker_send_task_events=False,
    CELERY_DB_REUSE_MAX=1_000,
)
django.setup()
app.autodiscover_tasks(["django_webhook"])
