"""The roles of members, as groups: viewer, operator (the queue's actions), manager (campaigns, policies, force)."""

from django.contrib.auth.management import create_permissions
from django.db import migrations

SEEN = {
    "callbacks": "callback",
    "dialer": "call campaign campaigncontact contact import line message persona retrypolicy suppression",
    "webhooks": "delivery deliveryattempt endpoint event",
    "workspaces": "auditentry workspace",
}
OPERATED = {
    "callbacks": "change_callback",
    "dialer": "change_call change_contact add_contact add_suppression",
}
MANAGED = {
    "callbacks": "force_callback",
    "dialer": (
        "add_campaign change_campaign add_import change_import add_line change_line add_persona change_persona "
        "add_retrypolicy change_retrypolicy delete_suppression"
    ),
    "webhooks": "add_endpoint change_endpoint delete_endpoint change_delivery",
    "workspaces": "change_workspace view_apikey add_apikey change_apikey",
}


def make_roles(apps, schema_editor):
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")

    for label in SEEN:
        # Permissions are made when all migrations are through; here they are needed now.
        config = apps.get_app_config(label)
        config.models_module = True
        create_permissions(config, apps=apps, verbosity=0)
        config.models_module = None

    def permissions(granted):
        return [
            Permission.objects.get(content_type__app_label=label, codename=codename)
            for label, codenames in granted.items()
            for codename in codenames.split()
        ]

    seen = permissions({label: " ".join(f"view_{model}" for model in SEEN[label].split()) for label in SEEN})
    operated = permissions(OPERATED)
    for name, granted in (
        ("viewer", seen),
        ("operator", seen + operated),
        ("manager", seen + operated + permissions(MANAGED)),
    ):
        group, _ = Group.objects.get_or_create(name=name)
        group.permissions.add(*granted)


class Migration(migrations.Migration):
    dependencies = [
        ("callbacks", "0001_initial"),
        ("webhooks", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    # Roles that were changed by hand since are not taken back.
    operations = [migrations.RunPython(make_roles, migrations.RunPython.noop)]
