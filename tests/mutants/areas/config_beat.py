"""Entries of beat's schedule that are taken out: whatever only they begin then never happens."""

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        file="config/celery.py",
        name=f"beat never sends {task}",
        old=f'    ("{task}", {every}, ()),\n',
        new="",
        tests="tests/config/test_beat_schedule.py",
    )
    for task, every in (
        ("dialer.send_messages", 1),
        ("callbacks.keep_deadlines", 10),
        ("callbacks.resume_bulks", 15),
        ("webhooks.deliver_due", 1),
        ("webhooks.suppress_unheard", 5),
        ("webhooks.mind_endpoints", 5),
        ("webhooks.replay", 1),
        ("webhooks.retain", 60),
    )
]
