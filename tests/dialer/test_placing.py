"""A batch in which one call breaks, and a worker that stood still before it asked the carrier."""

import time

import pytest

from dialer import placing
from dialer.models import Call, Contact
from tests.factories import NOW, ROUND_THE_CLOCK, make_campaign, make_campaign_contact
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, claim

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]


def test_a_call_that_cannot_be_judged_does_not_keep_its_batch_from_being_placed(carrier: InProcessCarrier) -> None:
    campaign = make_campaign(schedule=ROUND_THE_CLOCK)
    broken, good = make_campaign_contact(campaign), make_campaign_contact(campaign)
    Contact.objects.filter(pk=broken.contact_id).update(zones=["Nowhere/At_All"])

    counts = placing.place(claim(NOW), now=NOW)

    assert counts == {"placed": 1, "held": 0, "dropped": 0, "stale": 0}
    assert carrier.numbers() == [good.contact.phone]
    assert Call.objects.get(contact=broken.contact).status == "queued"


def test_a_worker_that_stood_still_while_it_cleared_its_batch_does_not_ask_the_carrier(
    carrier: InProcessCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK))
    claims = claim(NOW)
    clock = iter([0.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock, 60.0))

    placing.place(claims, now=NOW)

    assert carrier.placed == []
    assert Call.objects.get().status == "queued"
