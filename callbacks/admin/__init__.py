"""The admin pages of callbacks; importing this package registers them."""

from callbacks.admin import bulk_jobs, calls, campaigns, dashboard, policies, queue

__all__ = ["bulk_jobs", "calls", "campaigns", "dashboard", "policies", "queue"]
