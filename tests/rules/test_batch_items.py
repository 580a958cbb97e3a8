"""The items of arrays, against the published examples of the batch contract."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from dialer.rules.batch_items import Party, Result, call_attempted, call_complete, call_received, sms
from dialer.rules.statuses import Outcome

CAMPAIGN = UUID("5dd7681b-2188-49fc-8fc0-87b57056f436")
JANE = Party(phone="+61491573087", name="Jane Doe", external_id="d07b9760", campaign_id=CAMPAIGN)
NOBODY = Party(phone="+61491573087")
AT = datetime(2022, 8, 31, 21, 46, 58, 621_999, tzinfo=UTC)
TIME = "2022-08-31T21:46:58.621Z"


def answer(number: int, response: str = "Other") -> dict[str, str]:
    return {"questionName": f"Question {number}?", "response": response, "transcript": f"Answer {number}"}


def result(outcome: Outcome = Outcome.ANSWERED, *, has_flow: bool = True, **analysis: Any) -> Result:
    return Result(
        call_id=UUID("6d5e9bcd-3477-45a7-bca5-b67fae83c974"),
        chain_id=UUID("9ea5abe8-08da-4a40-a6d0-f7f56bb3d8c2"),
        outcome=outcome,
        started_at=datetime(2022, 9, 1, 0, 29, 12, tzinfo=UTC),
        has_flow=has_flow,
        analysis=analysis,
    )


def test_a_complete_call_is_told_as_in_the_published_example() -> None:
    flow = [answer(1), answer(2), answer(3)]
    item_id = UUID("3aa7c3d2-6d1a-4b02-9418-f8ae1e16bbc0")
    told_at = datetime(2022, 9, 1, 0, 30, 48, 567_000, tzinfo=UTC)

    item = call_complete(item_id, JANE, result(flow=flow, flow_completed=True), at=told_at)

    assert item == {
        "id": "3aa7c3d2-6d1a-4b02-9418-f8ae1e16bbc0",
        "eventType": "CallComplete",
        "createdAt": "2022-09-01T00:30:48.567Z",
        "data": {
            "correlationId": "d07b9760",
            "sessionId": "6d5e9bcd-3477-45a7-bca5-b67fae83c974",
            "callResultId": "9ea5abe8-08da-4a40-a6d0-f7f56bb3d8c2",
            "name": "Jane Doe",
            "phone": "61491573087",
            "campaignId": "5dd7681b-2188-49fc-8fc0-87b57056f436",
            "lastStepName": "Question 3?",
            "startedTime": "2022-09-01T00:29:12.000Z",
            "flow": flow,
            "requests": [],
            "status": "Complete",
            "additionalInformation": "No further action",
        },
    }


def test_flow_requests_and_last_step_are_there_where_nothing_was_said_and_what_is_optional_is_not() -> None:
    data: Any = call_complete(CAMPAIGN, NOBODY, result(Outcome.VOICEMAIL), at=AT)["data"]

    assert (data["flow"], data["requests"], data["lastStepName"]) == ([], [], None)
    assert data.keys() & {"correlationId", "campaignId"} == set()


@pytest.mark.parametrize(
    ("told", "status", "words"),
    [
        (result(flow=[answer(1)], flow_completed=True), "Complete", "No further action"),
        (result(flow=[answer(1)]), "Partial", "Customer exited part way through"),
        (
            result(flow=[{"questionName": "Question 1?", "response": ""}], flow_completed=False),
            "Not Complete",
            "Customer exited before the first question",
        ),
        (result(), "Not Complete", "Customer exited before the first question"),
        (result(has_flow=False), "Complete", "No further action"),
        (result(has_flow=False, summary="They talked"), "Complete", "No further action"),
        (result(has_flow=False, flow=[answer(1)], flow_completed=False), "Partial", "Customer exited part way through"),
        (result(Outcome.DNC_REQUEST, has_flow=False), "Complete", "Customer asked not to be called"),
        (result(Outcome.VOICEMAIL, flow=[answer(1)]), "Not Complete", "Voicemail"),
        (result(Outcome.NO_ANSWER), "Not Complete", "No answer"),
        (result(Outcome.BUSY), "Not Complete", "Busy"),
        (result(Outcome.INVALID_NUMBER), "Not Complete", "Invalid number"),
        (result(Outcome.NETWORK_ERROR), "Not Complete", "Network error"),
        (result(Outcome.DECLINED), "Not Complete", "Declined"),
        (result(Outcome.UNKNOWN), "Not Complete", "Unknown"),
        (result(Outcome.CANCELLED), "Not Complete", "Cancelled"),
    ],
)
def test_a_result_says_how_far_the_talk_came_and_why_in_words(told: Result, status: str, words: str) -> None:
    assert (told.status, told.in_words) == (status, words)


def test_the_last_step_is_what_the_analysis_names_else_the_last_question_asked() -> None:
    named: Any = call_complete(CAMPAIGN, JANE, result(flow=[answer(1)], last_step_name="Farewell"), at=AT)
    asked: Any = call_complete(CAMPAIGN, JANE, result(flow=[answer(1), answer(2)]), at=AT)

    assert named["data"]["lastStepName"] == "Farewell"
    assert asked["data"]["lastStepName"] == "Question 2?"


def test_a_flow_that_is_no_list_is_told_as_none() -> None:
    item: Any = call_complete(CAMPAIGN, JANE, result(flow={"Question 1?": "Other"}, requests="help"), at=AT)

    assert (item["data"]["flow"], item["data"]["requests"]) == ([], [])


def test_attempts_are_told_as_in_the_published_examples() -> None:
    failed = call_attempted(JANE, outcome=Outcome.INVALID_NUMBER, rang=False, at=AT)
    succeeded = call_attempted(
        Party(phone="+61491573087", campaign_id=CAMPAIGN), outcome=Outcome.ANSWERED, rang=True, at=AT
    )

    assert failed == {
        "time": TIME,
        "phone": "61491573087",
        "status": "failed",
        "note": "invalid phone",
        "campaignId": str(CAMPAIGN),
        "correlationId": "d07b9760",
    }
    assert succeeded == {"time": TIME, "phone": "61491573087", "status": "success", "campaignId": str(CAMPAIGN)}


@pytest.mark.parametrize("outcome", list(Outcome))
def test_an_attempt_is_a_success_where_a_phone_rang_or_was_answered_and_has_a_note_where_not(outcome: Outcome) -> None:
    quiet = call_attempted(NOBODY, outcome=outcome, rang=False, at=AT)
    rang = call_attempted(NOBODY, outcome=outcome, rang=True, at=AT)

    assert rang["status"] == "success"
    assert "note" not in rang
    assert (quiet["status"] == "failed") == ("note" in quiet)
    failures = {Outcome.INVALID_NUMBER, Outcome.NETWORK_ERROR, Outcome.BUSY, Outcome.UNKNOWN, Outcome.CANCELLED}
    assert (quiet["status"] == "failed") == (outcome in failures)


def test_a_call_received_says_which_way_it_came() -> None:
    inbound = call_received(Party(phone="+61491573087", campaign_id=CAMPAIGN), kind="inbound", at=AT)

    assert inbound == {"time": TIME, "phone": "61491573087", "type": "inbound", "campaignId": str(CAMPAIGN)}


def test_a_message_has_digits_for_numbers_and_a_name_as_it_is() -> None:
    sent = sms(JANE, from_number="+61491573087", to_number="+61 491 570 006", text="Message text body", at=AT)
    branded = sms(NOBODY, from_number="Ringback", to_number="+61491570006", text="Hi", at=AT)

    assert sent == {
        "time": TIME,
        "from": "61491573087",
        "to": "61491570006",
        "message": "Message text body",
        "campaignId": str(CAMPAIGN),
        "correlationId": "d07b9760",
    }
    assert branded == {"time": TIME, "from": "Ringback", "to": "61491570006", "message": "Hi"}
