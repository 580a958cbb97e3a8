"""The base of all admin pages, and the pages for users, API keys and the audit; importing this registers them."""

from dialer.workspaces.admin import access

__all__ = ["access"]
