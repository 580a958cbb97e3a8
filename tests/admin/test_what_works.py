"""What connects, on a page for those who make the schedules."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from callbacks import analytics
from callbacks.analytics import FiguresTookTooLong
from callbacks.models import Callback
from dialer.workspaces.models import Member
from tests.admin.people import browser_of, make_callback
from tests.api.queue_rows import soon
from tests.factories import make_call, make_campaign, make_workspace

pytestmark = pytest.mark.django_db


def page(browser: Client, **query: str) -> str:
    answer = browser.get(reverse("admin:callbacks_what_works"), query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_who_manages_one_workspace_and_sees_another_reads_the_figures_of_the_first_alone() -> None:
    managed, seen = make_workspace(name="Acme"), make_workspace(name="Globex")
    browser = browser_of(managed)
    Member.objects.create(workspace=seen, user=Member.objects.get(workspace=managed).user, role="viewer")
    make_call(campaign=make_campaign(seen), status="ended", outcome="answered", dialing_at=soon(hours=-1))

    shown = page(browser, workspace=seen.public_id)

    assert "Globex" not in shown
    assert "of 1 call" not in shown


def test_the_page_compares_calls_and_counts_promises() -> None:
    workspace = make_workspace()
    campaign = make_campaign(workspace)
    for outcome in ("answered", "no_answer"):
        make_call(campaign=campaign, status="ended", outcome=outcome, dialing_at=soon(hours=-1))
    promise = make_callback(workspace, late=timedelta(hours=1), type="manual")
    Callback.objects.filter(pk=promise.pk).update(status="done", dialled_at=promise.scheduled_at)

    shown = page(browser_of(workspace))

    assert "In 33.3 % of 3 calls a person talked" in shown, "the call before the promise counts too"
    assert "attempt 1" in shown
    assert "width: 33.3%" in shown
    assert "(6.1 to 79.2) of 3" in shown
    assert "kept <strong" in shown
    assert "No call of this kind." in shown, "there was no second attempt"


def test_a_period_without_calls_says_so() -> None:
    workspace = make_workspace()
    make_call(campaign=make_campaign(workspace), status="ended", dialing_at=soon(days=-8))
    browser = browser_of(workspace)

    assert "No call was handed over in these days." in page(browser, days="7")
    assert "of 1 calls a person talked" in page(browser, days="nonsense")


def test_too_many_calls_to_compare_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(*_: object) -> None:
        raise FiguresTookTooLong(FiguresTookTooLong.__doc__)

    monkeypatch.setattr(analytics, "connects", give_up)

    assert "name a shorter one" in page(browser_of(make_workspace()))


def test_a_manager_sees_own_workspaces_only_and_others_do_not_see_the_page() -> None:
    theirs = make_workspace(name="Globex")
    make_call(campaign=make_campaign(theirs), status="ended", dialing_at=soon(hours=-1))
    mine = make_workspace()
    link = reverse("admin:callbacks_what_works")

    manager, viewer = browser_of(mine), browser_of(mine, role="viewer")

    assert "No call was handed over" in page(manager, workspace=theirs.public_id)
    assert viewer.get(link).status_code == 403
    assert link in manager.get(reverse("admin:index")).content.decode()
    assert link not in viewer.get(reverse("admin:index")).content.decode()
    assert Client().get(link).status_code == 302
