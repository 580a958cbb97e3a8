from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('dialer', '0003_unchecked_keys'),
        ('workspaces', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='call',
            name='hang_up_at',
            field=models.DateTimeField(help_text='When a worker next asks the carrier to hang up', null=True),
        ),
        migrations.AlterField(
            model_name='call',
            name='cancel_requested_at',
            field=models.DateTimeField(help_text='When somebody cancelled it', null=True),
        ),
        migrations.AddIndex(
            model_name='call',
            index=models.Index(condition=models.Q(('hang_up_at__isnull', False)), fields=['hang_up_at'], name='call_to_hang_up'),
        ),
    ]
