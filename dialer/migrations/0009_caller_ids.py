"""Say whose every number is: the table, and the owners of what lines show now."""

import logging

import django.db.models.deletion
from django.db import migrations, models

from dialer.rules.phone_number import digits_to_own
from dialer.workspaces.ids import public_id

log = logging.getLogger(__name__)


def claim_what_lines_show(apps, schema_editor):
    """Give a number to the workspace whose line is the oldest, as calls that came in did; closed ones come last.

    A line of another workspace that shows the number too goes on showing it until that is changed, and no call to it
    comes over this line any more. The log names these lines.
    """
    caller_id = apps.get_model("dialer", "CallerId")
    lines = apps.get_model("dialer", "Line").objects.filter(archived_at=None)
    oldest_first = lines.order_by(models.F("workspace__closed_at").desc(nulls_first=True), "created_at", "id")
    owners = dict(caller_id.objects.values_list("digits", "workspace_id"))
    for line_id, workspace_id, numbers in oldest_first.values_list("id", "workspace_id", "caller_ids"):
        for digits in {digits_to_own(number) for number in numbers} - {""}:
            owner = owners.setdefault(digits, workspace_id)
            if owner != workspace_id:
                log.warning("line.shows_a_number_of_another_workspace line=%s", public_id("line", line_id))
    made = [caller_id(digits=digits, workspace_id=workspace_id) for digits, workspace_id in owners.items()]
    caller_id.objects.bulk_create(made, batch_size=1_000, ignore_conflicts=True)


class Migration(migrations.Migration):
    dependencies = [("dialer", "0008_settled_calls"), ("workspaces", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="CallerId",
            fields=[
                ("digits", models.CharField(max_length=32, primary_key=True, serialize=False)),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="workspaces.workspace"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(digits__regex="^[0-9]+$"), name="caller_id_has_digits_alone"
                    )
                ],
            },
        ),
        migrations.RunPython(claim_what_lines_show, migrations.RunPython.noop, elidable=True),
    ]
