"""``python -m bench.peers.django_import_export.load FILE RESOURCE``: imports contacts; prints what it took as JSON.

``InBulk`` is set up as its documentation says for large files: in bulk, without differences, existing rows loaded once.
``RowByRow`` is as the package comes.
"""

import json
import resource
import sys
import time
from pathlib import Path

import django

django.setup()

from django.core.management import call_command  # noqa: E402 — Django is set up first
from import_export import resources  # noqa: E402
from import_export.instance_loaders import CachedInstanceLoader  # noqa: E402
from tablib import Dataset  # noqa: E402

from bench.peers.django_import_export.models import Contact  # noqa: E402

_KILOBYTE = 1 if sys.platform == "darwin" else 1_024  # the unit of ru_maxrss is a byte there
_MEGABYTE = 2**20


class RowByRow(resources.ModelResource):  # type: ignore[misc]
    class Meta:
        model = Contact
        import_id_fields = ("external_id",)
        fields = ("external_id", "name", "phone")


class InBulk(RowByRow):
    class Meta(RowByRow.Meta):
        use_bulk = True
        batch_size = 1_000
        skip_diff = True
        use_transactions = True
        instance_loader_class = CachedInstanceLoader


RESOURCES = {resource.__name__: resource for resource in (RowByRow, InBulk)}


def main() -> None:
    call_command("migrate", run_syncdb=True, verbosity=0)
    began, used = time.monotonic(), time.process_time()
    with Path(sys.argv[1]).open() as file:
        result = RESOURCES[sys.argv[2]]().import_data(Dataset().load(file, format="csv"), raise_errors=True)
    took = {
        "seconds": time.monotonic() - began,
        "cpu_seconds": time.process_time() - used,
        "rows": result.totals["new"],
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KILOBYTE / _MEGABYTE,
    }
    sys.stdout.write(json.dumps(took) + "\n")


if __name__ == "__main__":
    main()
