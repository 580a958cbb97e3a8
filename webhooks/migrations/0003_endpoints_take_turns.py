from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('webhooks', '0002_unchecked_parents'),
    ]

    operations = [
        migrations.RemoveField(
            model_name='endpoint',
            name='served_at',
        ),
    ]
