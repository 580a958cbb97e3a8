"""``python -m tests.fuzz.opening``: the first rows of a run, which no route makes."""

import os
from pathlib import Path

import django

django.setup()

from django.conf import settings  # noqa: E402 — Django is set up first

from tests.fuzz.furnishing import furnish  # noqa: E402

furnish(Path(os.environ["FUZZ_FOREIGN"]), key=settings.DEMO_API_KEY)
