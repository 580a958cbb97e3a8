"""The operator's pages of the dialer; importing them registers them."""

from dialer.admin import calls, campaigns, contacts, imports, messages, resources

__all__ = ["calls", "campaigns", "contacts", "imports", "messages", "resources"]
