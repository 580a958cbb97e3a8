"""Shows a run of the bench: as text on the terminal, as the page in ``docs/bench/``, and as plots."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from statistics import median

from bench.figures import Figure
from bench.peers.catalogue import PEERS
from bench.results import Results, ScenarioResult

OURS = "ringback"
"""Arms whose name begins so are Ringback's; the others are what it is compared with."""
PLOTTED = (
    ("lifecycle", "rate"),
    ("lifecycle", "CPU"),
    ("lateness", "p99 at 200/s, 10,000 held"),
    ("thundering_second", "drained"),
)
"""The figures whose arms are drawn side by side."""


def as_text(results: Results) -> str:
    lines = [f"{name}: {value}" for name, value in {**results.machine, **results.versions}.items()]
    lines += [f"{name}: {_settings(settings)}" for name, settings in results.durability.items()]
    lines += [scenario_as_text(scenario) for scenario in results.scenarios]
    return "\n".join(["", *lines])


def scenario_as_text(scenario: ScenarioResult) -> str:
    lines = [f"\n{scenario.name} ({scenario.seconds:.0f} s)", *_warnings(scenario)]
    for held_in, figures in _grouped(scenario.figures).items():
        lines += [f"  {held_in}:"] if held_in else []
        for figure in figures:
            named = f"{figure.arm}: {figure.name}".removesuffix(": ")
            lines.append(f"  {named:<52} {_value(figure):<34} {_verdict(figure)}".rstrip())
    return "\n".join(lines)


def as_markdown(results: Results) -> str:
    lines = [
        "# The bench",
        "",
        f"Written by `{results.command}` on {results.began}. All arms used the same PostgreSQL and the same Valkey,",
        "with the durability below, and took turns round by round; a value is the median of the rounds, with their",
        "range behind it. [`results.json`](results.json) has every round.",
        "",
        *_machine(results),
    ]
    for scenario in results.scenarios:
        lines += ["", f"## {scenario.name.replace('_', ' ').capitalize()}", "", *_scenario(scenario)]
    lines += ["", "## Where a peer wins or a goal is missed", "", *(_defeats(results) or ["Nowhere in this run."])]
    lines += ["", "## The peers", "", "| peer | version | configuration |", "|---|---|---|"]
    lines += [
        f"| {name} | {results.versions.get(name) or 'not installed'} | {how} |" for name, how in results.peers.items()
    ]
    lines += ["", "## Run it again", "", "```", "make bench", 'make bench ARGS="lifecycle --rounds 5"', "```", ""]
    return "\n".join(lines)


def plots(results: Results) -> dict[str, str]:
    """Return drawings by the names of their files."""
    drawn = {}
    for scenario, name in PLOTTED:
        figures = [f for s in results.scenarios if s.name == scenario for f in s.figures if f.name == name and f.values]
        if figures:
            drawn[_plot_name(scenario, name)] = _bars(
                f"{scenario.replace('_', ' ')}: {name} ({figures[0].unit})", figures
            )
    return drawn


def _plot_name(scenario: str, name: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in f"{scenario} {name}").split()) + ".svg"


def _machine(results: Results) -> Iterator[str]:
    machine = results.machine
    yield f"- **Machine**: {machine['processor']}, {machine['cores']} cores, {machine['memory']}, {machine['kernel']}."
    others = {name: value for name, value in results.versions.items() if name not in results.peers}
    yield f"- **Versions**: {', '.join(f'{name} {value}' for name, value in others.items())}."
    for name, settings in results.durability.items():
        yield f"- **{name}**: {_settings(settings)}."


def _scenario(scenario: ScenarioResult) -> Iterator[str]:
    yield f"Measured {scenario.began}, in {scenario.seconds:.0f} s."
    yield ""
    warnings = list(_warnings(scenario))
    yield from (f"> **{warning.strip()}**  " for warning in warnings)
    if warnings:
        yield ""
    yield "| arm | figure | median (range) | goal | |"
    yield "|---|---|---|---|---|"
    for held_in, figures in _grouped(scenario.figures).items():
        if held_in:
            yield f"| **{held_in}** | | | | |"
        for figure in figures:
            mark = "" if figure.reached is None else "reached" if figure.reached else "**missed**"
            yield f"| {figure.arm} | {figure.name} | {_value(figure)} | {figure.goal} | {mark} |"
    notes: dict[str, dict[str, None]] = {}
    for figure in scenario.figures:
        if figure.note:
            notes.setdefault(figure.note, {})[figure.arm] = None
    yield ""
    yield from (f"- {', '.join(arms)}: {note}." for note, arms in notes.items())
    for drawn, name in PLOTTED:
        if drawn == scenario.name and any(figure.name == name and figure.values for figure in scenario.figures):
            yield f"\n![{scenario.name}: {name}]({_plot_name(drawn, name)})"


def _grouped(figures: Sequence[Figure]) -> dict[str, list[Figure]]:
    """Return Ringback's figures and others first, then those of peers by where they hold what is due later."""
    grouped: dict[str, list[Figure]] = {"": []}
    for figure in figures:
        held_in = next((f"held in {peer.held_in}" for peer in PEERS if figure.arm.startswith(peer.name)), "")
        grouped.setdefault(held_in, []).append(figure)
    return grouped


def _warnings(scenario: ScenarioResult) -> Iterator[str]:
    if scenario.error:
        yield f"  FAILED: {scenario.error}"
    if scenario.why_busy:
        load = f"load {scenario.load_before:.1f} before, {scenario.load_after:.1f} after"
        yield f"  THE MACHINE WAS BUSY: {scenario.why_busy} ({load}); these are not figures of an idle machine"


def _defeats(results: Results) -> list[str]:
    lines = []
    for scenario in results.scenarios:
        if scenario.error:
            lines.append(f"- {scenario.name} failed: {scenario.error}.")
        lines += [
            f"- {scenario.name}, {figure.arm}, {figure.name}: {_value(figure)}; goal {figure.goal}."
            for figure in scenario.figures
            if figure.reached is False
        ]
        lines += [
            f"- {scenario.name}, {figure.arm} failed: {figure.error}."
            for figure in scenario.figures
            if figure.error and figure.arm.startswith(OURS)
        ]
        lines += _won_by_peers(scenario)
    return lines


def _won_by_peers(scenario: ScenarioResult) -> Iterator[str]:
    """Compare each of Ringback's figures with those of the same name that another arm has."""
    for ours in scenario.figures:
        if not ours.arm.startswith(OURS) or not ours.values:
            continue
        for theirs in scenario.figures:
            if theirs.arm.startswith(OURS) or theirs.name != ours.name or not theirs.values:
                continue
            ahead = median(theirs.values) - median(ours.values)
            if (ahead > 0) if ours.better == "higher" else (ahead < 0):
                yield f"- {scenario.name}, {ours.name}: {theirs.arm} {_value(theirs)}, {ours.arm} {_value(ours)}."


def _value(figure: Figure) -> str:
    if figure.error:
        return figure.error
    shown = f"{_number(median(figure.values))} {figure.unit}".rstrip()
    if len(figure.values) > 1:
        shown += f" ({_number(min(figure.values))}–{_number(max(figure.values))})"  # noqa: RUF001 — a range
    return shown


def _number(value: float) -> str:
    """Return three significant digits, and thousands grouped."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004 — where the digits before the point are three


def _verdict(figure: Figure) -> str:
    if figure.reached is None:
        return ""
    return f"goal {figure.goal}: {'reached' if figure.reached else 'MISSED'}"


def _settings(settings: Mapping[str, str]) -> str:
    return ", ".join(f"{name} = {value or 'off'}" for name, value in settings.items())


def _bars(title: str, figures: Sequence[Figure]) -> str:
    """Draw a bar for each arm up to its median, with a line over its range."""
    row, left, width = 26, 230, 420
    most = max(max(figure.values) for figure in figures) or 1.0
    lines = [f'<text x="8" y="20" font-weight="bold">{escape(title)}</text>']
    for number, figure in enumerate(figures):
        y = 34 + number * row
        low, middle, high = (left + width * of(figure.values) / most for of in (min, median, max))
        colour = "#2563eb" if figure.arm.startswith(OURS) else "#94a3b8"
        lines += [
            f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{escape(figure.arm)}</text>',
            f'<rect x="{left}" y="{y}" width="{middle - left:.1f}" height="18" fill="{colour}"/>',
            f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y + 9}" y2="{y + 9}" stroke="#0f172a"/>',
            f'<text x="{high + 6:.1f}" y="{y + 14}">{_number(median(figure.values))}</text>',
        ]
    height = 40 + row * len(figures)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 740 {height}" font-family="sans-serif" font-size="13">'
    )
    ground = f'<rect width="740" height="{height}" fill="white"/>'
    return "\n".join([head, ground, *lines, "</svg>", ""])
