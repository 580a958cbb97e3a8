"""Leave room in the pages of rows that change several times in their life.

An update that changes no indexed column then stays in its page and writes no index (a HOT update).
"""

from django.db import migrations

TABLES = ("dialer_call", "dialer_campaigncontact", "dialer_carrierevent")


class Migration(migrations.Migration):
    dependencies = [("dialer", "0001_initial")]

    operations = [
        migrations.RunSQL(f"ALTER TABLE {table} SET (fillfactor = 75)", f"ALTER TABLE {table} RESET (fillfactor)")
        for table in TABLES
    ]
