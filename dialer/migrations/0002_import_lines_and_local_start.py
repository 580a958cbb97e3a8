from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dialer", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="import",
            name="lines_read",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="campaign",
            name="start_at_local",
            field=models.CharField(
                blank=True, default="", help_text="YYYY-MM-DDTHH:MM:SS on each contact's own clock", max_length=19
            ),
            preserve_default=False,
        ),
    ]
