from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dialer", "0007_line_reports")]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="reports_revoked_at",
            field=models.DateTimeField(
                editable=False,
                help_text="Addresses of its report that were given out before do not work",
                null=True,
            ),
        ),
    ]
