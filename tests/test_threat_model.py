"""The threat model names tests, and each of them exists."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "threat-model.md"
NAMED = re.compile(r"`(tests/[a-z0-9_/]+\.py)::(test_[a-z0-9_]+)`")


def test_every_test_that_the_threat_model_names_exists() -> None:
    named = NAMED.findall(PAGE.read_text())

    assert len(named) >= 30
    assert [f"{path}::{name}" for path, name in named if name not in names_of(ROOT / path)] == []


def test_every_threat_of_a_table_names_a_test_or_a_command() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and "| what holds it |" not in line]

    assert [row for row in rows if not NAMED.search(row) and "`make " not in row] == []


def names_of(path: Path) -> set[str]:
    if not path.exists():
        return set()
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}
