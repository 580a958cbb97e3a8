"""Faults in text messages: what is sent, what becomes of it, and what people write to us."""

from tests.mutants.mutant import Mutant

_MESSAGES = "dialer/messages/messages.py"
_EVENTS = "dialer/messages/events.py"
_REPORTS = "dialer/messages/reports.py"
_TESTS = "tests/dialer/messages/test_messages.py"

MUTANTS = [
    Mutant(
        file=_MESSAGES,
        name="a message to a suppressed number is queued",
        old="            raise NumberSuppressed\n",
        new="            pass\n",
        tests=f"{_TESTS}::test_nobody_who_is_not_to_be_called_is_written_to",
    ),
    Mutant(
        file=_MESSAGES,
        name="a message is sent to a number that was suppressed after it was written",
        old="                    WHEN m.id = ANY(%(suppressed)s::uuid[]) THEN 'the number is suppressed'\n",
        new="                    WHEN m.id = ANY(%(suppressed)s::uuid[]) THEN ''\n",
        tests=f"{_TESTS}::test_nobody_who_is_not_to_be_called_is_written_to",
    ),
    Mutant(
        file=_MESSAGES,
        name="messages of a closed workspace are sent",
        old="                    WHEN w.closed_at IS NOT NULL THEN 'the workspace is closed'\n",
        new="",
        tests=f"{_TESTS}::test_nothing_is_sent_for_a_workspace_that_is_closed",
    ),
    Mutant(
        file=_MESSAGES,
        name="a message of yesterday is sent",
        old="                    WHEN m.created_at < %(oldest)s THEN 'the carrier took no messages for too long'\n",
        new="",
        tests=f"{_TESTS}::test_a_carrier_that_takes_none_now_is_asked_again_when_it_said_but_not_after_a_day",
    ),
    Mutant(
        file=_MESSAGES,
        name="a message is sent by every worker that sees it",
        old="                WHERE m.id = ANY(%(ids)s) AND m.status = 'queued'\n"
        "            )\n"
        "            UPDATE dialer_message m SET due_at = NULL, failure = j.failure,\n"
        "                status = CASE j.failure WHEN '' THEN 'sending' ELSE 'failed' END,\n"
        "                handed_at = CASE j.failure WHEN '' THEN %(now)s::timestamptz END,\n"
        "                settled_at = CASE j.failure WHEN '' THEN NULL ELSE %(now)s::timestamptz END\n"
        "            FROM judged j WHERE m.id = j.id AND m.status = 'queued'\n",
        new="                WHERE m.id = ANY(%(ids)s)\n"
        "            )\n"
        "            UPDATE dialer_message m SET due_at = NULL, failure = j.failure,\n"
        "                status = CASE j.failure WHEN '' THEN 'sending' ELSE 'failed' END,\n"
        "                handed_at = CASE j.failure WHEN '' THEN %(now)s::timestamptz END,\n"
        "                settled_at = CASE j.failure WHEN '' THEN NULL ELSE %(now)s::timestamptz END\n"
        "            FROM judged j WHERE m.id = j.id\n",
        tests=f"{_TESTS}::test_a_message_that_another_worker_took_meanwhile_is_not_sent_again",
    ),
    Mutant(
        file=_MESSAGES,
        name="a carrier's answer overwrites a report that was faster",
        old=".filter(pk=message.pk, status=MessageStatus.SENDING)",
        new=".filter(pk=message.pk)",
        tests=f"{_TESTS}::test_a_report_that_is_faster_than_the_answer_stands",
    ),
    Mutant(
        file=_MESSAGES,
        name="messages go out over a line that is down",
        old="AND m.due_at <= %(now)s AND (l.down_until IS NULL OR l.down_until <= %(now)s)",
        new="AND m.due_at <= %(now)s",
        tests=f"{_TESTS}::test_a_line_that_is_down_keeps_its_messages_until_it_is_up",
    ),
    Mutant(
        file=_MESSAGES,
        name="a message that a worker has in hand is called lost",
        old="handed_at__lte=now - IN_DOUBT_AFTER)",
        new="handed_at__lte=now)",
        tests=f"{_TESTS}::test_a_message_in_the_hands_of_a_lost_worker_becomes_unknown_and_a_younger_one_does_not",
    ),
    Mutant(
        file=_MESSAGES,
        name="a message shows the caller id of a campaign that calls over another line",
        old='campaign.caller_id if campaign and campaign.line_id == line.pk else ""',
        new='campaign.caller_id if campaign else ""',
        tests=f"{_TESTS}::test_a_campaigns_caller_id_is_shown_over_its_own_line_only",
    ),
    Mutant(
        file=_MESSAGES,
        name="nobody can see who sent a message",
        old='        record(actor, [change(message, "send")], now=now)\n',
        new="",
        tests=f"{_TESTS}::test_the_audit_says_who_sent_a_message",
    ),
    Mutant(
        file=_EVENTS,
        name="a message that came in is told as one to ourselves",
        old="(message.number, message.caller_id) if is_inbound else",
        new="(message.caller_id, message.number) if is_inbound else",
        tests=f"{_TESTS}::test_a_message_that_comes_is_its_senders_and_told_once_however_often_it_is_reported",
    ),
    Mutant(
        file=_EVENTS,
        name="a message is told without what its campaign says of it",
        old="        metadata=message.metadata or (campaign.metadata if campaign else {}),\n",
        new="        metadata=message.metadata,\n",
        tests=f"{_TESTS}::test_a_message_goes_out_once_and_is_told_once_when_the_carrier_has_it",
    ),
    Mutant(
        file=_REPORTS,
        name="a message that was delivered is moved by a later report",
        old="_OPEN = (MessageStatus.SENDING, MessageStatus.SENT, MessageStatus.UNKNOWN)\n",
        new="_OPEN = tuple(MessageStatus)\n",
        tests=f"{_TESTS}::test_a_message_that_the_carrier_could_not_deliver_says_why",
    ),
    Mutant(
        file=_REPORTS,
        name="a message that arrived was never told as sent",
        old="    if message.sent_at is None:\n",
        new="    if message.sent_at is not None:\n",
        tests=f"{_TESTS}::test_a_message_whose_fate_was_in_doubt_is_told_as_sent_when_its_arrival_is_reported",
    ),
    Mutant(
        file=_REPORTS,
        name="a message that is reported twice came twice",
        old="        line=line, direction=Direction.INBOUND.value, carrier_message_id=report.carrier_message_id\n"
        "    ).exists():\n",
        new="        line=line, direction=Direction.INBOUND.value, carrier_message_id=report.kind\n    ).exists():\n",
        tests=f"{_TESTS}::test_a_message_that_comes_is_its_senders_and_told_once_however_often_it_is_reported",
    ),
    Mutant(
        file=_REPORTS,
        name="whoever writes stop is called all the same",
        old="    if asks_to_stop(report.body):\n",
        new="    if not report.body:\n",
        tests=f"{_TESTS}::test_whoever_writes_stop_is_neither_called_nor_written_to_any_more",
    ),
    Mutant(
        file=_REPORTS,
        name="an answer belongs to the last call although a message came after it",
        old="if message is not None and (call is None or _handed(message.handed_at) > _handed(call.dialing_at)):",
        new="if message is not None and call is None:",
        tests=f"{_TESTS}::test_an_answer_belongs_to_the_campaign_of_what_it_answers",
    ),
    Mutant(
        file=_REPORTS,
        name="one report that cannot be applied takes the others with it",
        old="            failed = failed or error\n",
        new="            raise\n",
        tests=f"{_TESTS}::test_one_report_that_cannot_be_applied_stops_no_other_and_is_asked_for_again",
    ),
    Mutant(
        file="dialer/messages/messages.py",
        name="a message that a claim refuses fails without an event",
        old="        _tell_failed(messages, now=now)\n",
        new="",
        tests=f"{_TESTS}::test_a_message_that_failed_is_told_once_with_the_reason",
    ),
]
