import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('workspaces', '0004_audit_lists'),
    ]

    operations = [
        migrations.AddField(
            model_name='idempotentrequest',
            name='api_key',
            field=models.ForeignKey(db_index=False, help_text='The key that asked, and alone may ask again', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='workspaces.apikey'),
        ),
        migrations.AlterField(
            model_name='idempotentrequest',
            name='fingerprint',
            field=models.BinaryField(help_text='Keyed hash of method, path and body', max_length=32),
        ),
    ]
