"""The pages of the queue as a browser uses them: the list, a button, an action on many."""

from datetime import timedelta
from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client
from django.urls import reverse

from callbacks.models import Callback
from dialer.models import Call
from dialer.workspaces.clock import database_now
from tests.admin.people import CONFIRMED

LIST = "admin:callbacks_callback_changelist"
LATE = timedelta(minutes=12)


def listed(browser: Client, queue: str = "all_pending", **query: str) -> str:
    return browser.get(reverse(LIST), {"queue": queue, **query}).content.decode()


def press(browser: Client, verb: str, callback: Callback, **filled_in: str) -> Any:
    return browser.post(reverse(f"admin:callbacks_callback_{verb}", args=[callback.pk]), {**CONFIRMED, **filled_in})


def in_bulk(browser: Client, verb: str, callbacks: list[Callback], **filled_in: str) -> Any:
    ids = [str(callback.pk) for callback in callbacks]
    return browser.post(
        f"{reverse(LIST)}?queue=all_pending", {"action": verb, ACTION_CHECKBOX_NAME: ids, **CONFIRMED, **filled_in}
    )


def is_being_dialled(callback: Callback) -> None:
    Call.objects.filter(pk=callback.call_id).update(status="dialing", dialing_at=database_now())
    Callback.objects.filter(pk=callback.pk).update(status="dialing")
