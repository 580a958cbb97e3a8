"""The roles of members, and the one table of what each may do; each may also do what those before it may.

Permissions are Django's names for the actions of the admin's pages: ``dialer.change_call`` lets a member run the verbs
of calls. What no role has here, such as editing users, is left to superusers.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a member is in one workspace, in rising order."""

    VIEWER = "viewer"  # sees calls, callbacks, campaigns, webhooks and the audit
    OPERATOR = "operator"  # works the queue: acts on callbacks, calls and contacts
    MANAGER = "manager"  # decides who is called, how and over what, forces, and configures webhooks
    OWNER = "owner"  # manages members, API keys and the workspace's own settings

    @property
    def rank(self) -> int:
        return list(Role).index(self)


_ADDED: Final[Mapping[Role, Mapping[str, str]]] = {
    Role.VIEWER: {
        "callbacks": "view_callback view_bulkaction",
        "dialer": (
            "view_call view_campaign view_campaigncontact view_contact view_import view_line view_message view_persona "
            "view_retrypolicy view_suppression"
        ),
        "webhooks": "view_batchitem view_delivery view_deliveryattempt view_endpoint view_event view_replay",
        "workspaces": "view_auditentry view_workspace",
    },
    Role.OPERATOR: {
        "callbacks": "change_callback change_bulkaction",
        "dialer": "change_call add_contact change_contact add_suppression",
    },
    Role.MANAGER: {
        "callbacks": "force_callback",
        "dialer": (
            "add_campaign change_campaign add_import change_import add_line change_line add_persona change_persona "
            "add_retrypolicy change_retrypolicy delete_suppression"
        ),
        "webhooks": "add_endpoint change_endpoint delete_endpoint change_delivery change_replay",
    },
    Role.OWNER: {
        "workspaces": (
            "change_workspace delete_workspace view_apikey add_apikey change_apikey view_member add_member "
            "change_member"
        ),
    },
}
"""What each role may do beyond the one before it, by app."""


def _permissions(role: Role) -> frozenset[str]:
    return frozenset(f"{app}.{name}" for app, names in _ADDED[role].items() for name in names.split())


PERMISSIONS: Final[Mapping[Role, frozenset[str]]] = {
    role: frozenset[str]().union(*(_permissions(lower) for lower in Role if lower.rank <= role.rank)) for role in Role
}
"""All that each role may do."""


def roles_with(permission: str) -> list[str]:
    """Return the roles that have the permission; none for one that only superusers have."""
    return [role.value for role in Role if permission in PERMISSIONS[role]]
