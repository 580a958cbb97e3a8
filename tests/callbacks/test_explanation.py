"""Explanations: a closed list of codes, each documented and written somewhere, shown alike by API and admin."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from callbacks import actions, scheduling
from callbacks.models import Callback
from callbacks.rules.explanation import Code, of_retry
from callbacks.rules.retry import Level, Retry
from callbacks.rules.statuses import CallbackType
from callbacks.scheduling import Force
from dialer.rules.waits import Waits
from dialer.workspaces.audit import SYSTEM
from tests.admin.people import browser_of
from tests.api.client import Api
from tests.factories import NOW, make_call, make_campaign, make_campaign_contact, make_contact
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, dial, end_all

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

ROOT = Path(__file__).resolve().parents[2]
HOUR = timedelta(hours=1)
FORCE = Force(checks=frozenset({"outside_window"}), reason="She asked for it")


def retry(**contact: Any) -> Callback:
    """Let the first call of a contact go unanswered; the window is the default one."""
    campaign = make_campaign(schedule={"callback_retry_schedule": [60, 120]})
    make_campaign_contact(campaign, make_contact(campaign.workspace, **contact))
    dial(NOW)
    end_all(NOW, "no_answer", lasted=timedelta())
    return Callback.objects.get()


def requested(*, at: datetime, **fields: Any) -> Callback:
    campaign = make_campaign(**fields.pop("campaign", {}))
    contact = make_contact(campaign.workspace, **fields.pop("contact", {}))
    if fields.pop("called_before", False):
        make_call(contact, status="ended", dialing_at=NOW)
    done = scheduling.request(
        workspace_id=campaign.workspace_id,
        contact_id=contact.pk,
        campaign_id=campaign.pk,
        type=CallbackType.CUSTOMER_REQUESTED,
        scheduled_at=at,
        actor=SYSTEM,
        now=NOW,
        **fields,
    )
    return done.callback


def acted(verb: Callable[..., Callback], **fields: Any) -> Callback:
    callback = retry()
    verb(callback.pk, workspace_id=callback.workspace_id, actor=SYSTEM, now=NOW, **fields)
    return Callback.objects.filter(status="pending").get()


LIMITED = {"contact_limits": [{"max": 1, "period_hours": 5, "scope": "number"}]}
NOWHERE = {"time_zone": "", "phone": "+883510012345"}
"""A number of no country, on a contact without a zone."""

STORIES: dict[Code, Callable[[], Callback]] = {
    Code.DELAY: retry,
    Code.LIMIT: retry,
    Code.REQUESTED: lambda: requested(at=NOW + HOUR),
    Code.OUTSIDE_WINDOW: lambda: requested(at=NOW + 12 * HOUR),
    Code.CONTACT_LIMIT: lambda: requested(at=NOW + HOUR, campaign=LIMITED, called_before=True),
    Code.WINDOW_NARROWED: lambda: requested(at=NOW + HOUR, contact=NOWHERE),
    Code.SKIPPED: lambda: acted(actions.skip),
    Code.RESCHEDULED: lambda: acted(actions.reschedule, scheduled_at=NOW + 2 * HOUR),
    Code.CALL_NOW: lambda: acted(actions.call_now),
    Code.FORCED: lambda: requested(at=NOW + 12 * HOUR, force=FORCE),
}
TOLD_ELSEWHERE = {
    Code.UNDONE: "test_undoing.py",
    Code.CONTACT_CALLED: "test_inbound.py",
    Code.EXPIRED: "test_deadlines.py",
    Code.CLOCK_CHANGED: "test_local_times.py",
    Code.CAMPAIGN_RESUMED: "test_resuming.py",
}


@pytest.mark.parametrize("code", STORIES, ids=str)
def test_each_code_is_written_by_what_it_tells_of_and_shown_alike_by_api_and_admin(
    carrier: InProcessCarrier, code: Code
) -> None:
    callback = STORIES[code]()
    callback.refresh_from_db()

    mine = [step for step in callback.explanation if step["code"] == code]
    assert mine, callback.explanation
    for step in callback.explanation:
        assert set(step) == {"code", "text", "level", "from", "to", "at"}
        assert step["code"] in set(Code)
        assert step["level"] in {None, *Level}
        assert step["text"].endswith(".") or step["code"] == Code.FORCED
        assert step["at"] == "2025-03-12T10:00:00Z"
    assert Api(callback.workspace).get(f"callbacks/{callback.pk}/").json()["explanation"] == callback.explanation
    page = browser_of(None, is_superuser=True).get(f"/admin/callbacks/callback/{callback.pk}/change/").content.decode()
    assert all(_as_html(step["text"]) in page for step in mine)


def _as_html(text: str) -> str:
    return text.replace("&", "&amp;").replace("'", "&#x27;")


def test_a_skipped_retry_is_told_before_the_delay_that_follows_it(carrier: InProcessCarrier) -> None:
    callback = acted(actions.skip)

    assert [step["code"] for step in callback.explanation] == ["skipped", "delay", "limit"]
    assert callback.explanation[1]["text"] == (
        "Retry 2 follows the one that was skipped 120 minutes later, by the campaign."
    )


def test_delay_and_limit_each_name_the_level_that_gave_them() -> None:
    retry = Retry(
        candidate=NOW,
        delay_minutes=60,
        delay_level=Level.CALL,
        number=1,
        limit=3,
        limit_level=Level.CAMPAIGN,
    )

    steps = of_retry(retry, outcome="busy", ended_at=NOW, at=NOW)

    assert [(step["code"], step["level"]) for step in steps] == [("delay", "call"), ("limit", "campaign")]


def test_every_code_has_a_story_and_a_place_that_writes_it() -> None:
    written = "\n".join(path.read_text() for path in (ROOT / "callbacks").rglob("*.py"))
    tests = {path.name for path in (ROOT / "tests").rglob("test_*.py")}

    assert set(STORIES) | set(TOLD_ELSEWHERE) == set(Code)
    assert set(TOLD_ELSEWHERE.values()) <= tests
    for code in Code:
        assert f"Code.{code.name}" in written, f"nobody writes {code}"


@pytest.mark.parametrize(("heading", "codes"), [("Explanations", set(Code)), ("Waiting", set(Waits))])
def test_the_documentation_lists_the_codes_and_no_others(heading: str, codes: set[str]) -> None:
    text = (ROOT / "docs" / "api.md").read_text()
    section = text.partition(f"#### {heading}\n")[2].partition("\n#")[0]

    assert set(re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)) == codes
