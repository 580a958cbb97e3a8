"""Force lasts for one dial and for the checks it named, whoever gives it."""

from datetime import timedelta

import pytest

from callbacks import actions
from callbacks.models import Callback
from callbacks.scheduling import Force
from dialer.campaigns import lifecycle
from dialer.contacts import suppressions
from dialer.models import Call
from dialer.workspaces.audit import SYSTEM
from tests.factories import NOW, make_campaign, make_campaign_contact
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, dial, end_all

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

EVENING = NOW + timedelta(hours=10)
"""21:00 in Berlin: the window is closed."""


def called_in_the_evening(*checks: str) -> Callback:
    """Make a retry that is due in the morning, and let an operator force a call in the evening past the checks."""
    campaign = make_campaign(schedule={"callback_retry_schedule": [24 * 60, 30]})
    make_campaign_contact(campaign)
    dial(NOW)
    end_all(NOW, "no_answer")
    callback = Callback.objects.get(status="pending")
    force = Force(checks=frozenset(checks), reason="The customer waits")
    return actions.call_now(
        callback.pk, workspace_id=callback.workspace_id, actor=SYSTEM, now=EVENING, force=force, reason=""
    )


def test_the_retry_after_a_forced_call_waits_for_the_window_again(carrier: InProcessCarrier) -> None:
    called_in_the_evening("outside_window")
    assert dial(EVENING)["placed"] == 1
    end_all(EVENING, "no_answer")

    after = Callback.objects.select_related("call").get(status="pending")

    assert after.call.force is None
    assert after.adjusted_reason == "outside_window"
    assert after.scheduled_at > EVENING + timedelta(hours=8)


def test_a_check_that_was_not_named_holds_the_call_all_the_same(carrier: InProcessCarrier) -> None:
    forced = called_in_the_evening("outside_window")
    assert forced.campaign_id is not None
    lifecycle.pause(forced.campaign_id, workspace_id=forced.workspace_id, actor=SYSTEM, now=EVENING)

    assert dial(EVENING)["placed"] == 0


def test_a_suppression_stops_a_forced_call(carrier: InProcessCarrier) -> None:
    forced = called_in_the_evening("outside_window", "contact_limit", "campaign_paused")
    suppressions.add(forced.workspace_id, [forced.contact.phone], reason="manual", actor=SYSTEM, now=EVENING)

    assert dial(EVENING)["placed"] == 0
    assert Call.objects.get(pk=forced.call_id).status == "withdrawn"


@pytest.mark.parametrize(("checks", "reason"), [([], "x"), (["suppressed"], "x"), (["outside_window"], " ")])
def test_force_without_a_check_or_a_reason_is_none(checks: list[str], reason: str) -> None:
    with pytest.raises(ValueError, match="names checks"):
        Force(checks=frozenset(checks), reason=reason)
