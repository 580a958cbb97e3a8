"""The runner keeps what each scenario found, and what it failed with."""

import importlib
from dataclasses import replace
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench.figures import Figure
from bench.results import Results
from tests.bench.test_page import results


def test_a_failing_scenario_keeps_its_figures_and_its_error(capfd: pytest.CaptureFixture[str]) -> None:
    result = bench.run("failing", "tests.bench.failing", ["--rounds=2"], {})

    assert result.figures == [Figure("failing", "ringback", "rate", "1/s", [2.0])]
    assert result.error == "RuntimeError: the peer went away"
    assert "FAILED: RuntimeError: the peer went away" in capfd.readouterr().out


def test_a_scenario_after_a_failing_one_is_measured() -> None:
    results = [bench.run(name, f"tests.bench.{name}", ["--rounds=1"], {}) for name in ("failing", "working")]

    assert [bool(result.error) for result in results] == [True, False]
    assert results[1].figures == [Figure("working", "ringback", "rate", "1/s", [1.0])]


def test_every_scenario_names_a_module_that_measures() -> None:
    for module in bench.SCENARIOS.values():
        assert callable(importlib.import_module(module).measure)


def test_a_run_of_one_scenario_keeps_what_the_folder_has_of_the_others(tmp_path: Path) -> None:
    def of(*names: str, rate: float) -> Results:
        found = results(Figure("", "ringback", "rate", "1/s", [rate]))
        return replace(found, scenarios=[replace(found.scenarios[0], name=name) for name in names])

    bench.write(of("lifecycle", "idle", rate=1), tmp_path)
    merged = bench.with_earlier(of("idle", rate=2), tmp_path)

    assert [(each.name, each.figures[0].values) for each in merged.scenarios] == [("lifecycle", [1]), ("idle", [2])]
