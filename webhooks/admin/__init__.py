"""The admin pages of webhooks; importing this package registers them."""

from webhooks.admin import deliveries, endpoints, events, replays

__all__ = ["deliveries", "endpoints", "events", "replays"]
