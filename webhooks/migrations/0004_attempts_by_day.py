"""Let the table of attempts be partitioned by day, so that old ones are dropped and not deleted row by row.

What there is goes to the default partition; `webhooks.retention` makes the days and moves today's rows there.
"""

import django.db.models.deletion
from django.db import migrations, models

_FORWARDS = """
    ALTER TABLE webhooks_deliveryattempt RENAME TO webhooks_deliveryattempt_before;
    CREATE TABLE webhooks_deliveryattempt (
        LIKE webhooks_deliveryattempt_before INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING IDENTITY
    ) PARTITION BY RANGE (started_at);
    CREATE TABLE webhooks_deliveryattempt_default PARTITION OF webhooks_deliveryattempt DEFAULT;
    INSERT INTO webhooks_deliveryattempt OVERRIDING SYSTEM VALUE SELECT * FROM webhooks_deliveryattempt_before;
    SELECT setval(pg_get_serial_sequence('webhooks_deliveryattempt', 'id'), max(id)) FROM webhooks_deliveryattempt
    HAVING max(id) IS NOT NULL;
    DROP TABLE webhooks_deliveryattempt_before;
    ALTER TABLE webhooks_deliveryattempt ADD CONSTRAINT webhooks_deliveryattempt_pkey PRIMARY KEY (id, started_at);
    ALTER TABLE webhooks_deliveryattempt ADD CONSTRAINT attempt_once UNIQUE (delivery_id, number, started_at);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('webhooks', '0003_endpoint_health'),
    ]

    operations = [
        migrations.RunSQL(
            _FORWARDS,
            reverse_sql=migrations.RunSQL.noop,
            state_operations=[
                migrations.RemoveConstraint(
                    model_name='deliveryattempt',
                    name='attempt_once',
                ),
                migrations.AlterField(
                    model_name='deliveryattempt',
                    name='delivery',
                    field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='attempts', to='webhooks.delivery'),
                ),
                migrations.AddConstraint(
                    model_name='deliveryattempt',
                    constraint=models.UniqueConstraint(fields=('delivery', 'number', 'started_at'), name='attempt_once'),
                ),
            ],
        ),
    ]
