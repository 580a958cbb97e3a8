"""``python -m bench.measure MODULE FILE``: one scenario in a process of its own.

``python -m bench`` starts it on a database of its own and reads the file, which has a figure per line. What was
measured before a failure is kept.
"""

import argparse
import importlib
import json
import traceback
from dataclasses import asdict
from pathlib import Path

import django

from bench.figures import Size


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module")
    parser.add_argument("file", type=Path)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    django.setup()
    with options.file.open("w", buffering=1) as file:
        try:
            for figure in importlib.import_module(options.module).measure(Size(options.full, options.rounds)):
                file.write(json.dumps(asdict(figure)) + "\n")
        except Exception as error:  # noqa: BLE001 — the page says what a scenario failed with, and the others go on
            traceback.print_exc()
            file.write(json.dumps({"failed": f"{type(error).__name__}: {error}"}) + "\n")
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
