"""The dialer's admin pages; importing this package registers them."""

from dialer.admin import calls, campaigns, contacts, imports, messages, resources

__all__ = ["calls", "campaigns", "contacts", "imports", "messages", "resources"]
