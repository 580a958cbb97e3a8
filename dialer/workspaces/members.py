"""The members of a workspace: added, given another role, removed; every workspace with an owner keeps one.

Each change locks the workspace, so that two owners who remove each other at the same time cannot both succeed.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.db import transaction

from dialer.workspaces.audit import Actor, Change, record
from dialer.workspaces.models import Member, Workspace
from dialer.workspaces.roles import Role


class InvalidMember(Exception):
    """A new member is refused; ``errors`` has the reasons by field."""

    def __init__(self, **errors: str) -> None:
        super().__init__(errors)
        self.errors = {name: [reason] for name, reason in errors.items()}


class LastOwner(Exception):
    """The workspace would be left without an owner."""


class OwnRole(Exception):
    """Nobody raises their own role."""


class NotInvitable(Exception):
    """Somebody else has a part in the user, who therefore gets no link from an owner."""


class _Invitations(PasswordResetTokenGenerator):
    """Tokens that die with the first password, and when the user gets a part in anything else meanwhile."""

    key_salt = "dialer.workspaces.members.invitations"

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        members = Member.objects.filter(user=user).order_by("pk").values_list("pk", flat=True)
        return f"{super()._make_hash_value(user, timestamp)}{user.is_superuser}{list(members)}"


INVITATIONS: Final = _Invitations()


def add(workspace_id: UUID, *, user_name: str, role: Role, actor: Actor, now: datetime) -> Member:
    """Add the user with this name, who is created without a password if there is none.

    Only a superuser adds somebody who has a part elsewhere: otherwise an owner would see when people of other
    workspaces sign in, and whoever takes a name first would get the role that another owner means for its bearer.
    Raises :class:`InvalidMember`.
    """
    with transaction.atomic():
        _lock(workspace_id)
        user = _user(user_name)
        if not _is_free(user, actor):
            raise InvalidMember(user_name="belongs to somebody outside your workspaces: an administrator can add them")
        if Member.objects.in_workspace(workspace_id).filter(user=user).exists():
            raise InvalidMember(user_name="is a member already: change the role instead")
        member: Member = Member.objects.create(workspace_id=workspace_id, user=user, role=role.value)
        record(actor, [_change(member, "add", to_state={"user": user.username, "role": role.value})], now=now)
    return member


def change_role(
    member_id: int, *, workspace_id: UUID, role: Role, actor: Actor, reason: str = "", now: datetime
) -> None:
    """Give a member another role; raises :class:`OwnRole`, :class:`LastOwner`, and ``Member.DoesNotExist``."""
    with transaction.atomic():
        _lock(workspace_id)
        member = _member(member_id, workspace_id)
        was = Role(member.role)
        if role is was:
            return
        if role.rank > was.rank and actor.kind == "user" and actor.id == str(member.user_id):
            raise OwnRole
        _check_owners(member)
        Member.objects.filter(pk=member.pk).update(role=role.value)
        states = {"from_state": {"role": was.value}, "to_state": {"role": role.value}}
        record(actor, [_change(member, "change_role", reason=reason, **states)], now=now)


def remove(member_id: int, *, workspace_id: UUID, actor: Actor, reason: str = "", now: datetime) -> None:
    """Remove a member, who sees nothing of the workspace from the next request on.

    Raises :class:`LastOwner`, and ``Member.DoesNotExist``.
    """
    with transaction.atomic():
        _lock(workspace_id)
        member = _member(member_id, workspace_id)
        _check_owners(member)
        was = {"user": member.user.username, "role": member.role}
        record(actor, [_change(member, "remove", reason=reason, from_state=was)], now=now)
        member.delete()


def may_be_invited(member: Member) -> bool:
    """Tell whether an owner may give the member a link to set a password: nobody else has a part in the user yet.

    A user who has a password, or belongs to another workspace too, must not be taken over by the owner of this one.
    """
    user = member.user
    return (
        user.is_active
        and not user.is_superuser
        and not user.has_usable_password()
        and not Member.objects.filter(user=user).exclude(pk=member.pk).exists()
    )


def invite(member: Member, *, actor: Actor, now: datetime) -> str:
    """Return a token of :data:`INVITATIONS` by which the member's user sets the first password; former ones die.

    Raises :class:`NotInvitable`.
    """
    user = member.user
    with transaction.atomic():
        _lock(member.workspace_id)
        if not may_be_invited(member):
            raise NotInvitable
        user.set_unusable_password()  # another one each time, and tokens depend on it
        user.save(update_fields=["password"])
        record(actor, [_change(member, "invite", to_state={"user": user.username})], now=now)
    return INVITATIONS.make_token(user)


def accepted(user: User, *, now: datetime) -> None:
    """Record that an invited user has set a password."""
    actor = Actor(kind="user", id=str(user.pk), label=user.username)
    record(actor, [_change(member, "accept") for member in Member.objects.filter(user=user)], now=now)


def _is_free(user: User, actor: Actor) -> bool:
    """Tell whether nobody but the actor has a part in the user: all workspaces of the user are owned by the actor."""
    if actor.kind != "user" or User.objects.filter(pk=actor.id, is_superuser=True).exists():
        return True
    theirs = set(Member.objects.filter(user=user).values_list("workspace_id", flat=True))
    owned = set(Member.objects.filter(user_id=actor.id, role=Role.OWNER.value).values_list("workspace_id", flat=True))
    return not user.is_superuser and theirs <= owned and (bool(theirs) or not user.has_usable_password())


def _user(name: str) -> User:
    try:
        UnicodeUsernameValidator()(name)
    except ValidationError as error:
        raise InvalidMember(user_name="may hold letters, digits and @ . + - _ only") from error
    defaults = {"is_staff": True, "password": make_password(None)}
    user, _ = User.objects.get_or_create(username=User.normalize_username(name), defaults=defaults)
    if not user.is_active:
        raise InvalidMember(user_name="is a user who was deactivated")
    if not user.is_staff:
        user.is_staff = True  # else the sign-in page refuses the user
        user.save(update_fields=["is_staff"])
    return user


def _lock(workspace_id: UUID) -> None:
    Workspace.objects.select_for_update(no_key=True).get(pk=workspace_id)


def _member(member_id: int, workspace_id: UUID) -> Member:
    found: Member = Member.objects.in_workspace(workspace_id).select_related("user").get(pk=member_id)
    return found


def _check_owners(member: Member) -> None:
    """Raise :class:`LastOwner` if the workspace has no other owner who can sign in; needs the workspace's lock."""
    others = Member.objects.in_workspace(member.workspace_id).filter(role=Role.OWNER.value, user__is_active=True)
    if member.role == Role.OWNER and not others.exclude(pk=member.pk).exists():
        raise LastOwner


def _change(member: Member, verb: str, **said: object) -> Change:
    return Change(
        workspace_id=member.workspace_id,
        verb=verb,
        object_type="member",
        object_id=str(member.pk),
        **said,  # type: ignore[arg-type]
    )
