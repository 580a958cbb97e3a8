from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("dialer", "0003_inbound_and_outages"),
    ]

    operations = [
        migrations.AddField(
            model_name="call",
            name="person_confirmed_at",
            field=models.DateTimeField(
                help_text="When somebody said that it was a person, no machine, who answered", null=True
            ),
        ),
    ]
