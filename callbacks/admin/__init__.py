"""The operator's pages of callbacks; importing them registers them."""

from callbacks.admin import campaigns, dashboard, policies, queue

__all__ = ["campaigns", "dashboard", "policies", "queue"]
