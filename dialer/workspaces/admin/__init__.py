"""The operator's pages: what they share, and those of the floor; importing them registers them."""

from dialer.workspaces.admin import access

__all__ = ["access"]
