"""Roles of members; scopes, networks and refusals of API keys.

``callbacks.0005_roles_of_members`` then gives each member the role of the user's group.
"""

import django.contrib.postgres.fields
from django.db import migrations, models

_ROLES = ["viewer", "operator", "manager", "owner"]
_SCOPES = ["read", "calls", "contacts", "webhooks", "write", "admin"]


class Migration(migrations.Migration):
    dependencies = [("workspaces", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="member",
            name="role",
            field=models.CharField(
                choices=[(role, role) for role in _ROLES],
                default="viewer",
                help_text="What the user may do in this workspace",
                max_length=8,
            ),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            model_name="member",
            constraint=models.CheckConstraint(condition=models.Q(("role__in", _ROLES)), name="member_role_known"),
        ),
        migrations.AddField(
            model_name="apikey",
            name="allowed_networks",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=43),
                blank=True,
                default=list,
                help_text="Where it may be used from; empty: anywhere",
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="refused_at",
            field=models.DateTimeField(
                editable=False, help_text="When a use from another address was last written to the audit", null=True
            ),
        ),
        migrations.AlterField(
            model_name="apikey",
            name="scope",
            field=models.CharField(
                choices=[(scope, scope.capitalize()) for scope in _SCOPES], default="write", max_length=8
            ),
        ),
        migrations.RemoveConstraint(model_name="apikey", name="api_key_scope_known"),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(("scope__in", _SCOPES)), name="api_key_scope_known"
            ),
        ),
    ]
