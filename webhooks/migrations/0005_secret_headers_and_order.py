from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

import dialer.workspaces.encryption


def encrypt(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Encrypt the headers, and overwrite the plain ones, which a dropped column leaves in its rows."""
    rows = apps.get_model("webhooks", "Endpoint").objects
    for row in rows.exclude(plain_headers={}).only("id", "plain_headers").iterator():
        rows.filter(pk=row.pk).update(custom_headers=row.plain_headers, plain_headers={})


def decrypt(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    rows = apps.get_model("webhooks", "Endpoint").objects
    for row in rows.exclude(custom_headers=None).only("id", "custom_headers").iterator():
        rows.filter(pk=row.pk).update(plain_headers=row.custom_headers, custom_headers={})


class Migration(migrations.Migration):

    dependencies = [
        ('webhooks', '0004_unchecked_keys'),
    ]

    operations = [
        migrations.RenameField(model_name='endpoint', old_name='custom_headers', new_name='plain_headers'),
        migrations.AddField(
            model_name='endpoint',
            name='custom_headers',
            field=dialer.workspaces.encryption.EncryptedMappingField(default=dict, editable=False, null=True),
        ),
        migrations.RunPython(encrypt, decrypt),
        migrations.RemoveField(model_name='endpoint', name='plain_headers'),
    ]
