"""A result for people (Markdown, PNG) and for programs (JSON), and its place in docs/explanation/performance.md."""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from tests.bench.options import Options
from tests.bench.result import Cell, Plot, Result, Table

DOCUMENT = "performance.md"
FOLDER = "performance"  # beside the document: JSON and pictures


def text(result: Result, machine: Mapping[str, Any], *, note: str = "") -> str:
    """Markdown: when and on what, the table, and what of the targets is reached."""
    said = [_circumstances(machine, note), markdown(result.table)]
    if result.targets:
        rows = [[t.claim, t.bound, t.figure, "reached" if t.reached else "**short**"] for t in result.targets]
        said.append(markdown(Table(["to reach", "bound", "measured", ""], rows)))
    return "\n\n".join(said)


def markdown(table: Table) -> str:
    cells = [[*table.columns], *([shown(cell) for cell in row] for row in table.rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def shown(cell: Cell) -> str:
    """Three digits that count."""
    if cell is None:
        return "-"
    if isinstance(cell, str):
        return cell
    return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.1f}" if abs(cell) >= 10 else f"{cell:.2f}"


def write(
    name: str, title: str, result: Result, machine: Mapping[str, Any], options: Options, *, note: str, out: Path
) -> None:
    """out/performance/NAME.json, its pictures, and the block of this bench in out/performance.md, if it has one:

    <!-- bench: NAME --> ... <!-- end -->
    """
    folder = out / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    facts = {**machine, **result.machine}
    content = {
        "bench": name,
        "title": title,
        "note": note,
        "machine": facts,
        "options": dataclasses.asdict(options),
        "columns": result.table.columns,
        "rows": result.table.rows,
        "targets": [dataclasses.asdict(target) | {"reached": target.reached} for target in result.targets],
        "rounds": result.rounds,
    }
    (folder / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    pictures = draw(name, result.plots, folder)
    shown = [text(result, facts, note=note), *(f"![{title}]({FOLDER}/{file})" for file in pictures)]
    place(out / DOCUMENT, name, "\n\n".join(shown))


def place(document: Path, name: str, block: str) -> None:
    """Put in the place of what stood there."""
    if not document.exists():
        return
    before = document.read_text(encoding="utf-8")
    begin, end = f"<!-- bench: {name} -->", "<!-- end -->"
    document.write_text(
        re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n{block}\n{end}", before, flags=re.DOTALL), encoding="utf-8"
    )


def draw(name: str, plots: Sequence[Plot], folder: Path) -> list[str]:
    """The names of the PNGs: one with all plots side by side, or none."""
    if not plots:
        return []
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(5.5 * len(plots), 3.6), layout="constrained")
        for axes, plot in zip(figure.subplots(1, len(plots), squeeze=False)[0], plots, strict=True):
            _draw(axes, plot)
        figure.savefig(folder / f"{name}.png", dpi=110, metadata={"Software": None})
    return [f"{name}.png"]


def _draw(axes: Any, plot: Plot) -> None:
    places, width = range(len(plot.ticks)), 0.8 / len(plot.series)
    for number, (label, figures) in enumerate(plot.series.items()):
        heights = [float("nan") if figure is None else figure for figure in figures]
        if plot.kind == "lines":
            axes.plot(places, heights, marker="o", label=label)
        else:
            axes.bar([place + (number + 0.5) * width - 0.4 for place in places], heights, width, label=label)
    axes.set_xticks(places, plot.ticks)
    axes.set_title(plot.title)
    axes.set_ylabel(plot.axis)
    axes.set_yscale("log" if plot.logarithmic else "linear")
    if len(plot.series) > 1:
        axes.legend(fontsize=7)


def _circumstances(machine: Mapping[str, Any], note: str) -> str:
    said = (
        f"{machine['date'][:10]}, {machine['commit']}; {machine['cores']} cores ({machine['cpu']}), "
        f"Python {machine['python']}, Linux {machine['kernel']}, {machine['file_system']} with an fsync of "
        f"{machine['fsync_ms']} ms, load before the run {machine['load']}."
    )
    return f"{said} **{note}**" if note else said
