"""Bring back two unique indexes that 0005 dropped unseen.

A foreign key that loses its index takes every index of that one column along that Django's introspection finds, also
the partial unique ones that are constraints of the model.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("dialer", "0006_search_by_name"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="call", name="call_one_live_per_contact"),
        migrations.RemoveConstraint(model_name="call", name="call_one_queued_per_campaign_contact"),
        migrations.AddConstraint(
            model_name="call",
            constraint=models.UniqueConstraint(
                condition=models.Q(("direction", "outbound"), ("status__in", ["dialing", "ringing", "in_progress"])),
                fields=("contact",),
                name="call_one_live_per_contact",
            ),
        ),
        migrations.AddConstraint(
            model_name="call",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "queued")),
                fields=("campaign_contact",),
                name="call_one_queued_per_campaign_contact",
            ),
        ),
    ]
