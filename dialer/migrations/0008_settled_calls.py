from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dialer", "0007_campaign_urls")]

    operations = [
        migrations.AddField(
            model_name="call",
            name="settled_at",
            field=models.DateTimeField(
                help_text="When a person ended the chain while the call was live: nothing follows it", null=True
            ),
        ),
    ]
