"""What was measured, as a document for programs and as a table for people."""

import os
import platform
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ... import __version__
from .figures import REDUCTIONS, p50, ratio
from .measuring import Measured
from .rows import THREADS, Figure

Line = dict[str, Any]

VERDICTS = {"then": "[green]then[/]", "first": "[yellow]first[/]", "miss": "[red]miss[/]", None: ""}
COLUMNS = ("figure", "server", "value", "threads", "ratio", "first", "then", "reaches")
NUMBERS = frozenset({"value", "first", "then", "threads", "ratio"})


def document(all_measured: Sequence[Measured], quick: bool) -> Line:
    """Everything, in a shape that stays: `figures` are the lines of the table."""
    return {
        "object": "bench",
        "version": __version__,
        "quick": quick,
        "machine": machine(),
        "figures": [line for measured in all_measured for line in figure_lines(measured)],
        "details": [line for measured in all_measured for line in detail_lines(measured)],
        "problems": [
            {"row": measured.row.name, "server": server, "message": message}
            for measured in all_measured
            for server, message in measured.problems.items()
        ],
    }


def machine() -> Line:
    """On what it was measured, and how busy that was in the last minute."""
    return {
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }


def figure_lines(measured: Measured) -> Iterator[Line]:
    """One for each figure and server but the baseline, which is told beside each."""
    for figure in measured.row.figures:
        baseline = _value(measured, figure, THREADS)
        for server in measured.row.servers:
            value = _value(measured, figure, server)
            if value is None or server == THREADS:
                continue
            target = figure.targets.get(server)
            yield {
                "row": measured.row.name,
                "what": measured.row.what,
                "figure": figure.label,
                "server": server,
                "unit": figure.unit,
                "value": value,
                "samples": len(measured.results[server][figure.samples]),
                "first": target and target.first,
                "then": target and target.then,
                "reaches": target and target.verdict(value),
                "threads": baseline,
                "ratio": ratio(value, baseline),
            }


def _value(measured: Measured, figure: Figure, server: str) -> float | None:
    samples = measured.results.get(server, {}).get(figure.samples)
    return REDUCTIONS[figure.reduction](samples) if samples else None


def detail_lines(measured: Measured) -> Iterator[Line]:
    """What goes into a figure, for each server: CPU by role, the parts of a delay. Medians."""
    for kind in measured.row.details:
        for server, result in measured.results.items():
            names = [name for name in result if name.startswith(f"{kind}.") and result[name]]
            parts = {name.partition(".")[2]: p50(result[name]) for name in names}
            yield {"row": measured.row.name, "server": server, "kind": kind, "parts": parts}


def show(shown: Line, console: Console) -> None:
    """The table, and under it what goes into its figures."""
    console.print(_table(shown["figures"]))
    for line in shown["details"]:
        parts = ", ".join(f"{part} {value:.2f}" for part, value in line["parts"].items() if value >= 0.005)
        text = f"{line['row']}, {line['server']}: {line['kind']}: {parts}"
        console.print(text, style="dim", highlight=False, markup=False)
    for problem in shown["problems"]:
        text = f"could not measure {problem['row']} ({problem['server']}): {problem['message']}"
        console.print(text, markup=False, highlight=False)


def _table(figures: Sequence[Line]) -> Table:
    table = Table(title="runward bench", title_justify="left", box=SIMPLE_HEAD)
    for name in COLUMNS:
        table.add_column(name, justify="right" if name in NUMBERS else "left", no_wrap=True)
    for what, lines in groupby(figures, key=lambda line: str(line["what"])):
        table.add_row(f"[bold]{what}[/]")
        for line in lines:
            cells = [_cell(line[name], line["unit"] if name != "ratio" else "×") for name in COLUMNS]
            table.add_row(f"  {cells[0]}", *cells[1:-1], VERDICTS[line["reaches"]])
        table.add_section()
    return table


def _cell(value: float | str | None, unit: str) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return f"{value:,.0f} {unit}" if abs(value) >= 100 else f"{value:.3g} {unit}"
