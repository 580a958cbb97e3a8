"""The page says what was measured, what was missed, who won, and when the machine was busy."""

import pytest

from bench import page
from bench.figures import Figure
from bench.meters import why_busy
from bench.results import Results, ScenarioResult


def results(*figures: Figure, error: str = "", others_cores: float = 0.0, steal: float = 0.0) -> Results:
    scenario = ScenarioResult(
        name="lifecycle",
        began="2026-11-22T04:00:00+00:00",
        seconds=12.0,
        load_before=0.1,
        load_after=1.4,
        others_cores=others_cores,
        steal=steal,
        figures=figures,
        error=error,
    )
    return Results(
        began="2026-11-22T03:00:00+00:00",
        command="python -m bench",
        machine={"processor": "A", "cores": "2", "memory": "8 GiB", "kernel": "Linux"},
        versions={"Python": "3.11", "huey": "3.5.4", "rq": ""},
        durability={"PostgreSQL": {"fsync": "on"}, "Valkey": {"appendonly": "yes", "save": ""}},
        peers={"huey": "`huey_consumer` once", "rq": "`rq worker` once"},
        scenarios=[scenario],
    )


def test_a_row_has_median_range_and_whether_the_goal_was_reached() -> None:
    figure = Figure("lifecycle", "ringback", "rate", "1/s", [900.0, 1200.0, 1000.0], goal="≥ 3000", reached=False)

    text = page.as_markdown(results(figure))

    assert "| ringback | rate | 1,000 1/s (900–1,200) | ≥ 3000 | **missed** |" in text  # noqa: RUF001 — a range
    assert "- lifecycle, ringback, rate: 1,000 1/s (900–1,200); goal ≥ 3000." in text  # noqa: RUF001 — a range


def test_a_peer_that_wins_is_named() -> None:
    ours = Figure("lifecycle", "ringback", "CPU", "ms of CPU", [2.0], better="lower")
    faster = Figure("lifecycle", "huey", "CPU", "ms of CPU", [1.5], better="lower")
    slower = Figure("lifecycle", "rq", "CPU", "ms of CPU", [9.0], better="lower")

    text = page.as_markdown(results(ours, faster, slower))

    assert "- lifecycle, CPU: huey 1.5 ms of CPU, ringback 2 ms of CPU." in text
    assert "- lifecycle, CPU: rq" not in text


def test_peers_are_shown_apart_by_where_they_hold_calls() -> None:
    arms = ("huey", "ringback", "procrastinate")

    text = page.as_markdown(results(*(Figure("lifecycle", arm, "rate", "1/s", [1.0]) for arm in arms)))

    shown = (
        "| ringback |",
        "| **held in Valkey** |",
        "| huey | rate",
        "| **held in PostgreSQL** |",
        "| procrastinate |",
    )
    assert [text.index(words) for words in shown] == sorted(text.index(words) for words in shown)


def test_an_arm_that_failed_shows_its_error_instead_of_a_value() -> None:
    figure = Figure("lifecycle", "rq", "", "", error="PeerFailed: not installed: no matching distribution")

    run = results(figure)

    assert "| rq |  | PeerFailed: not installed: no matching distribution |  |  |" in page.as_markdown(run)
    assert "rq" in page.as_text(run)
    assert "| rq | not installed |" in page.as_markdown(run)


@pytest.mark.parametrize("show", [page.as_text, page.as_markdown])
def test_a_busy_machine_is_said(show: object) -> None:
    assert callable(show)

    busy = show(results(others_cores=0.8, steal=0.1))
    idle = show(results())

    assert "MACHINE WAS BUSY: other processes used 0.80 cores and 10% of the virtual machine's time" in busy
    assert "MACHINE WAS BUSY" not in idle


def test_a_little_work_of_others_is_not_busy() -> None:
    assert why_busy(cores=0.05, steal=0.01) == ""


def test_a_failed_scenario_is_said() -> None:
    text = page.as_markdown(results(error="RuntimeError: no"))

    assert "> **FAILED: RuntimeError: no**" in text
    assert "- lifecycle failed: RuntimeError: no." in text


def test_a_plot_has_a_bar_for_each_arm() -> None:
    figures = [Figure("lifecycle", arm, "rate", "1/s", [10.0, 20.0]) for arm in ("ringback", "huey", "a < b")]

    plots = page.plots(results(*figures))

    (drawn,) = plots.values()
    assert drawn.count('height="18"') == len(figures)
    assert "a &lt; b" in drawn
    assert all(f"]({name})" in page.as_markdown(results(*figures)) for name in plots)
