"""What the three URLs of a campaign are told, against the published examples."""

from datetime import UTC, datetime

import pytest

from dialer.rules.status_callbacks import attempt, call_status, campaign_done, number_done
from dialer.rules.statuses import Outcome

KOLKATA = "Asia/Kolkata"


def test_an_attempt_is_told_as_in_the_published_example() -> None:
    told = attempt(
        campaign="camp_abc123",
        call="call_def456",
        number="+919876543210",
        outcome=Outcome.ANSWERED,
        began_at=datetime(2024, 1, 15, 3, 35, 0, 999_999, tzinfo=UTC),
        ended_at=datetime(2024, 1, 15, 3, 35, 47, tzinfo=UTC),
        zone=KOLKATA,
    )

    assert told == {
        "campaign_sid": "camp_abc123",
        "call_sid": "call_def456",
        "date_created": "2024-01-15T09:05:00+05:30",
        "date_updated": "2024-01-15T09:05:47+05:30",
        "number": "+919876543210",
        "status": "completed",
    }


def test_a_number_that_is_done_is_told_with_all_its_calls_and_the_caller_id_as_configured() -> None:
    told = number_done(
        campaign="camp_abc123",
        to="+919876543210",
        from_="0XXXXXX4890",
        calls=["call_def456", "call_ghi789", "call_jkl012"],
        outcome=Outcome.NETWORK_ERROR,
        began_at=datetime(2024, 1, 15, 3, 35, tzinfo=UTC),
        ended_at=datetime(2024, 1, 15, 4, 5, tzinfo=UTC),
        zone=KOLKATA,
    )

    assert told == {
        "campaign_sid": "camp_abc123",
        "to": "+919876543210",
        "from": "0XXXXXX4890",
        "call_sids": ["call_def456", "call_ghi789", "call_jkl012"],
        "status": "failed",
        "date_created": "2024-01-15T09:05:00+05:30",
        "date_updated": "2024-01-15T09:35:00+05:30",
    }


@pytest.mark.parametrize(
    ("ended", "spelled"), [("completed", "Completed"), ("failed", "Failed"), ("cancelled", "Canceled")]
)
def test_the_end_of_a_campaign_is_spelled_as_documented(ended: str, spelled: str) -> None:
    told = campaign_done(
        campaign="camp_abc123",
        status=ended,
        created_at=datetime(2024, 1, 14, 11, 0, tzinfo=UTC),
        ended_at=datetime(2024, 7, 15, 12, 30, tzinfo=UTC),
        report_url="https://ringback.example/report.csv",
        zone="Europe/Berlin",
    )

    assert told == {
        "campaign_sid": "camp_abc123",
        "status": spelled,
        "date_created": "2024-01-14T12:00:00+01:00",
        "date_updated": "2024-07-15T14:30:00+02:00",
        "report_url": "https://ringback.example/report.csv",
    }


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_is_one_of_the_four_documented_statuses(outcome: Outcome) -> None:
    assert call_status(outcome) in {"completed", "failed", "busy", "no-answer"}


def test_a_voicemail_is_no_answer() -> None:
    assert call_status(Outcome.VOICEMAIL) == "no-answer"
