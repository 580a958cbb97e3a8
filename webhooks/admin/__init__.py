"""The operator's pages of webhooks; importing them registers them."""

from webhooks.admin import deliveries, endpoints, events, replays

__all__ = ["deliveries", "endpoints", "events", "replays"]
