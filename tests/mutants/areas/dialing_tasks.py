"""Faults in the dialer's tasks: what beat starts and workers do."""

from tests.mutants.mutant import Mutant

_DIALLING = "dialer/tasks/dialling.py"
_CAMPAIGNS = "dialer/tasks/campaigns.py"
_HOUSEKEEPING = "dialer/tasks/housekeeping.py"
_IMPORTS = "dialer/tasks/imports.py"
_MESSAGES = "dialer/tasks/messages.py"
_PUBLISHING = "tests/dialer/test_publishing.py"
_TASKS = "tests/dialer/test_tasks.py"

MUTANTS = [
    Mutant(
        file=_DIALLING,
        name="claimed calls are not published",
        old="    with current_app.producer_or_acquire() as producer:\n",
        new="    if began:\n        return\n    with current_app.producer_or_acquire() as producer:\n",
        tests=_PUBLISHING,
    ),
    Mutant(
        file=_DIALLING,
        name="claimed calls are published without their countdown",
        old="place_calls.apply_async(args=message, countdown=wait, producer=producer)",
        new="place_calls.apply_async(args=message, producer=producer)",
        tests=_PUBLISHING,
    ),
    Mutant(
        file=_DIALLING,
        name="a calm slot waits for a batch of a hundred",
        old="for batch in _batches(calls, BATCH))",
        new="for batch in _batches(calls, BATCH_OF_BACKLOG))",
        tests=_PUBLISHING,
    ),
    Mutant(
        file=_DIALLING,
        name="workers take a backlog's calls of one instant in any order",
        old="            delay = rank * SLOT / len(Rank)\n",
        new="            delay = 0 * SLOT\n",
        tests=_PUBLISHING,
    ),
    Mutant(
        file=_DIALLING,
        name="reports are stored and never applied",
        old="    return carrier_reports.apply_stored(limit=REPORTS, now=database_now())\n",
        new="    return 0\n",
        tests=_TASKS,
    ),
    Mutant(
        file=_DIALLING,
        name="calls whose message was lost are never claimed again",
        old="    expired = call_states.release_expired(limit=5_000, now=now)\n",
        new="    expired = 0\n",
        tests=_TASKS,
    ),
    Mutant(
        file=_DIALLING,
        name="what follows a call is not decided where that failed once",
        old="    undecided = completion.decide_undecided(limit=100, now=now)\n",
        new="    undecided = 0\n",
        tests=_TASKS,
    ),
    Mutant(
        file=_DIALLING,
        name="calls of which nothing was heard are not looked up",
        old="    checked = reconciliation.check_due(limit=50, now=database_now())\n",
        new="    checked = 0\n",
        tests=_TASKS,
    ),
    Mutant(
        file=_CAMPAIGNS,
        name="campaigns whose credentials are rejected run on",
        old='"failed": lifecycle.fail_unusable(now=now), ',
        new='"failed": 0, ',
        tests=_TASKS,
    ),
    Mutant(
        file=_CAMPAIGNS,
        name="campaigns never end",
        old="**campaign_completion.sweep(now=now)}",
        new="**{}}",
        tests=_TASKS,
    ),
    Mutant(
        file=_HOUSEKEEPING,
        name="answers are kept for ever",
        old="    count = idempotency.forget(limit=_BATCH, now=database_now())\n",
        new="    count = 0\n",
        tests=_TASKS,
    ),
    Mutant(
        file=_IMPORTS,
        name="a long import stops after its first turn",
        old="    if has_more:\n        import_contacts.delay(import_id)\n",
        new="",
        tests=_TASKS,
    ),
    Mutant(
        file=_IMPORTS,
        name="an import whose message was lost is never read",
        old="        import_contacts.delay(str(import_id))\n",
        new="        pass\n",
        tests=_TASKS,
    ),
    Mutant(
        file=_MESSAGES,
        name="messages of a lost worker are being sent for ever",
        old="    lost = messages.give_up_on_lost(now=database_now())\n",
        new="    lost = 0\n",
        tests=_TASKS,
    ),
    Mutant(
        file=_MESSAGES,
        name="messages are sent ten at a time, as often as beat says",
        old="    if sent == BATCH:\n        send_messages.delay()\n",
        new="",
        tests=_TASKS,
    ),
]
