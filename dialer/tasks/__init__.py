"""Celery tasks of the dialer: each reads the clock, calls one function, and publishes the calls that it claimed."""

from dialer.tasks.campaigns import sweep_campaigns
from dialer.tasks.dialling import apply_carrier_events, check_open_calls, hang_up, place_calls, tick
from dialer.tasks.housekeeping import forget_answers, forget_sessions
from dialer.tasks.imports import import_contacts, resume_imports
from dialer.tasks.messages import send_messages

__all__ = [
    "apply_carrier_events",
    "check_open_calls",
    "forget_answers",
    "forget_sessions",
    "hang_up",
    "import_contacts",
    "place_calls",
    "resume_imports",
    "send_messages",
    "sweep_campaigns",
    "tick",
]
