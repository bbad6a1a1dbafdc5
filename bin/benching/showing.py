"""What was measured, as a document for programs and as a table for people."""

import os
import platform
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from ... import __version__
from .figures import REDUCTIONS, p50, ratio
from .measuring import Measured
from .rows import FULL, THREADS, Figure

Line = dict[str, Any]

VERDICTS = {"then": "[green]then[/]", "first": "[yellow]first[/]", "miss": "[red]miss[/]", None: ""}
COLUMNS = ("what", "figure", "server", "value", "first", "then", "reaches", "threads", "ratio")
NUMBERS = frozenset({"value", "first", "then", "threads", "ratio"})


def document(all_measured: Sequence[Measured], quick: bool) -> Line:
    """Everything, in a shape that stays: `figures` are the lines of the table."""
    return {
        "object": "bench",
        "version": __version__,
        "quick": quick,
        "machine": machine(),
        "figures": [line for measured in all_measured for line in figure_lines(measured)],
        "cpu": [line for measured in all_measured for line in cpu_lines(measured)],
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
            target = figure.target if server in (FULL, figure.server) else None
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


def cpu_lines(measured: Measured) -> Iterator[Line]:
    """CPU by role for each server: `cpu_ms` a run, `cpu_us` an event or `cores`; the median of the rounds."""
    for kind in measured.row.cpu:
        for server, result in measured.results.items():
            names = [name for name in result if name.startswith(f"{kind}.")]
            roles = {name.partition(".")[2]: p50(result[name]) for name in names}
            yield {"row": measured.row.name, "server": server, "unit": kind, "roles": roles}


def show(shown: Line, console: Console) -> None:
    """The table, and under it where the CPU time went."""
    console.print(_table(shown["figures"]))
    for line in shown["cpu"]:
        roles = sorted(line["roles"].items(), key=lambda item: -item[1])
        text = ", ".join(f"{role} {value:.2f}" for role, value in roles if value >= 0.005)
        console.print(
            f"{line['row']}, {line['server']}: {line['unit']}: {text}", style="dim", highlight=False
        )
    for problem in shown["problems"]:
        text = f"could not measure {problem['row']} ({problem['server']}): {problem['message']}"
        console.print(text, markup=False, highlight=False)


def _table(figures: Sequence[Line]) -> Table:
    table = Table(title="runward bench", title_justify="left")
    for name in COLUMNS:
        table.add_column(name, justify="right" if name in NUMBERS else "left", overflow="fold")
    last = ""
    for line in figures:
        cells = {name: _cell(line[name], line["unit"] if name != "ratio" else "×") for name in COLUMNS}
        cells["what"] = "" if line["what"] == last else line["what"]
        cells["reaches"] = VERDICTS[line["reaches"]]
        last = line["what"]
        table.add_row(*cells.values())
    return table


def _cell(value: float | str | None, unit: str) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return f"{value:,.0f} {unit}" if abs(value) >= 100 else f"{value:.3g} {unit}"
