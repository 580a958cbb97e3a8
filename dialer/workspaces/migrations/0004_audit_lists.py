from django.db import migrations, models


class Migration(migrations.Migration):
    """Indexes for what the list of audit entries is filtered by."""

    dependencies = [("workspaces", "0003_sign_in")]

    operations = [
        migrations.RemoveIndex(model_name="auditentry", name="audit_of_object"),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["object_id", "object_type", "id"], name="audit_of_object"),
        ),
        migrations.AddIndex(
            model_name="auditentry", index=models.Index(fields=["workspace", "at", "id"], name="audit_by_time")
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["workspace", "actor_id", "at", "id"], name="audit_of_actor"),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["workspace", "verb", "at", "id"], name="audit_of_verb"),
        ),
    ]
