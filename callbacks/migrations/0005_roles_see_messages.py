"""Members see text messages, whatever their role."""

from django.contrib.auth.management import create_permissions
from django.db import migrations


def let_see(apps, schema_editor):
    config = apps.get_app_config("dialer")
    # Permissions are made when all migrations are through; here they are needed now.
    config.models_module = True
    create_permissions(config, apps=apps, verbosity=0)
    config.models_module = None
    seen = apps.get_model("auth", "Permission").objects.get(content_type__app_label="dialer", codename="view_message")
    for group in apps.get_model("auth", "Group").objects.filter(name__in=("viewer", "operator", "manager")):
        group.permissions.add(seen)


class Migration(migrations.Migration):
    dependencies = [("callbacks", "0004_bulk_actions"), ("dialer", "0005_messages")]

    operations = [migrations.RunPython(let_see, migrations.RunPython.noop)]
