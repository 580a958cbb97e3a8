"""Celery tasks of the dialer: each reads the clock, calls one function, and publishes what that claimed."""

from dialer.tasks.dialling import apply_carrier_events, check_open_calls, place_calls, tick

__all__ = ["apply_carrier_events", "check_open_calls", "place_calls", "tick"]
