"""The base of all admin pages, and the pages for users, members, API keys and the audit; importing registers them."""

from dialer.workspaces.admin import access, members

__all__ = ["access", "members"]
