"""The groups of ``0002_roles`` become roles of members: a user's role may differ from one workspace to the next."""

from django.db import migrations

_GROUPS = ("manager", "operator", "viewer")
"""By falling rank."""


def give_roles(apps, schema_editor):
    Group = apps.get_model("auth", "Group")
    Member = apps.get_model("workspaces", "Member")

    for name in reversed(_GROUPS):
        Member.objects.filter(user__groups__name=name).update(role=name)
    Member.objects.filter(user__is_superuser=True).update(role="owner")
    Group.objects.filter(name__in=_GROUPS).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("callbacks", "0004_unchecked_keys"),
        ("workspaces", "0002_member_roles"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    # Who had none of the three groups saw nothing and is a viewer now, the least of the roles.
    operations = [migrations.RunPython(give_roles, migrations.RunPython.noop)]
