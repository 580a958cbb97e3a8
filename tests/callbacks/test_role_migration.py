"""A database with roles as groups gets roles of members."""

from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User

from dialer.workspaces.models import Member
from tests.factories import make_workspace

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        ([], "viewer"),
        (["viewer"], "viewer"),
        (["viewer", "operator"], "operator"),
        (["manager", "viewer"], "manager"),
        (["night shift"], "viewer"),
    ],
)
def test_members_get_the_highest_role_of_their_groups(groups: list[str], role: str) -> None:
    assert role_after_migration(User.objects.create(username="olga"), groups) == role
    assert list(Group.objects.values_list("name", flat=True)) == ["night shift"]


def test_superusers_who_are_members_become_owners() -> None:
    assert role_after_migration(User.objects.create(username="olga", is_superuser=True), ["viewer"]) == "owner"


def role_after_migration(user: User, groups: list[str]) -> str:
    for name in ("viewer", "operator", "manager", "night shift"):
        Group.objects.get_or_create(name=name)
    user.groups.set(Group.objects.filter(name__in=groups))
    member = Member.objects.create(workspace=make_workspace(), user=user, role="viewer")
    import_module("callbacks.migrations.0005_roles_of_members").give_roles(apps, None)
    member.refresh_from_db()
    return str(member.role)


def test_a_new_installation_has_no_groups() -> None:
    assert not Group.objects.exists()
