"""The operator's pages of webhooks; importing them registers them."""

from webhooks.admin import deliveries, endpoints, events

__all__ = ["deliveries", "endpoints", "events"]
