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
        migrations.AddField(
            model_name='endpoint',
            name='ordered',
            field=models.BooleanField(db_default=False, default=False, help_text='Events of a chain are sent one after the other, each when the one before is delivered or failed'),
        ),
        migrations.AddConstraint(
            model_name='endpoint',
            constraint=models.CheckConstraint(condition=models.Q(('ordered', False), models.Q(('profile', 'batch'), _negated=True), _connector='OR'), name='endpoint_arrays_have_no_order'),
        ),
        migrations.AddField(
            model_name='delivery',
            name='chain_id',
            field=models.UUIDField(help_text="The event's chain, if its endpoint takes chains in order", null=True),
        ),
        migrations.AddField(
            model_name='delivery',
            name='sequence',
            field=models.PositiveIntegerField(help_text='Its place in the chain', null=True),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('chain_id__isnull', True), ('sequence__isnull', True)), models.Q(('chain_id__isnull', False), ('sequence__isnull', False)), _connector='OR'), name='delivery_place_in_chain'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('status', 'pending'), ('chain_id__isnull', False)), fields=['endpoint', 'chain_id', 'sequence'], name='delivery_in_chain'),
        ),
    ]
