"""The screen of `top`. Asks the server in threads, so that keys are heard though it does not answer.

What agents say is shown as text and never as markup, and tamed (`terminal.py`): a terminal obeys escape sequences.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.notifications import SeverityLevel
from textual.screen import ModalScreen
from textual.widgets import DataTable, Footer, Static

from ..http.api_client import Client
from ..http.api_errors import ClientError, RunEnded, ServerUnreachable
from ..http.api_types import RunInfo
from . import describing, inspecting, run_table
from .outcome import ExitCode
from .rates import Look, rates
from .terminal import one_line, tame
from .top_rows import FIRST, ORDERS, Row, ordered, summary

SHOW_RECEIPT_S = 15.0


class Question(ModalScreen[bool]):
    """A yes or no; anything but `y` is a no."""

    CSS = "Question { align: center middle; } Question Static { border: heavy $error; padding: 1 2; width: auto; }"

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """The question alone."""
        yield Static(Text(f"{self._question}  [y/N]"), id="question")

    def key_y(self) -> None:
        """Yes."""
        self.dismiss(True)

    def on_key(self, event: object) -> None:
        """Any other key: no."""
        if getattr(event, "key", "") != "y":
            self.dismiss(False)


class Page(ModalScreen[None]):
    """A text to be read, and left by any of the keys that leave things."""

    CSS = "Page VerticalScroll { border: heavy $primary; padding: 0 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,i,t", "leave", "back"),
    ]

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        """The text, as long as it is."""
        with VerticalScroll():
            yield Static(Text(self._text))
        yield Footer()

    def action_leave(self) -> None:
        """Back to the table."""
        self.dismiss()


class Top(App[int]):
    """The table of runs. Its result is the exit code."""

    ENABLE_COMMAND_PALETTE = False
    CSS = "DataTable { height: 1fr; } #head { height: 1; } #trouble { height: auto; color: $error; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "leave(0)", "quit"),
        Binding("ctrl+c", f"leave({int(ExitCode.INTERRUPTED)})", "quit", show=False, priority=True),
        Binding("s", "end('stop')", "stop"),
        Binding("k", "end('kill')", "kill"),
        Binding("i,enter", "inspect", "inspect", priority=True),
        Binding("t", "stack", "stack"),
        *(Binding(key, f"order('{key}')", f"by {name}") for key, (name, _) in ORDERS.items()),
    ]

    def __init__(self, client: Client, look: Callable[[], list[RunInfo]], interval_s: float) -> None:
        super().__init__()
        self._client, self._ask, self._interval_s = client, look, interval_s
        self._order = FIRST
        self._rows: dict[str, Row] = {}
        self._before: Look | None = None
        self._looking = False

    def compose(self) -> ComposeResult:
        """A line about all of them, one about trouble, the table, the keys."""
        yield Static(id="head")
        yield Static(id="trouble")
        yield DataTable(cursor_type="row", zebra_stripes=True)
        yield Footer()

    def on_mount(self) -> None:
        """Look for the first time, and then again and again."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.exit, 128 + signal.SIGTERM)
        self._table.add_columns(*run_table.HEADER)
        self._look()
        self.set_interval(self._interval_s, self._look)

    @property
    def _table(self) -> "DataTable[Text]":
        return self.screen_stack[0].query_one(DataTable)

    # ── looking ──────────────────────────────────────────────────────────────────────────────────

    def _look(self) -> None:
        if not self._looking:  # a server that takes its time is not asked by more than one
            self._looking = True
            self._look_in_thread()

    @work(thread=True, exit_on_error=False)
    def _look_in_thread(self) -> None:
        at = time.monotonic()
        try:
            runs, trouble = self._ask(), ""
        except ServerUnreachable as error:
            runs, trouble = None, f"{error}; trying again"
        except ClientError as error:
            runs, trouble = None, str(error)
        self.call_from_thread(self._looked, runs, at, trouble)

    def _looked(self, runs: list[RunInfo] | None, at: float, trouble: str) -> None:
        self._looking = False
        self.screen_stack[0].query_one("#trouble", Static).update(Text(one_line(trouble)))
        if runs is not None:
            now = time.time()
            self._rows = {run.run_id: Row(run, rates(run, self._before, at, now)) for run in runs}
            self._before = Look(runs, at)
            self._draw()

    def _draw(self) -> None:
        """All rows anew; the cursor stays on its run."""
        table, now = self._table, time.time()
        chosen = self._chosen()
        head = f"{self._client.url}  {time.strftime('%H:%M:%S')}  {summary(self._rows.values())}"
        self.screen_stack[0].query_one("#head", Static).update(Text(one_line(head)))
        shown = ordered(self._rows.values(), self._order)
        short = self.size.width < 140
        table.clear()
        for row in shown:
            cells = run_table.row(row.run, row.rates, now)
            cells = (cells[0][: run_table.SHORT_ID] if short else cells[0], *cells[1:])
            table.add_row(*(_cell(at, cell) for at, cell in enumerate(cells)), key=row.run.run_id)
        if chosen in self._rows:
            table.move_cursor(row=table.get_row_index(str(chosen)))

    def _chosen(self) -> str | None:
        """The id of the run under the cursor."""
        table = self._table
        if not table.is_valid_row_index(table.cursor_row):
            return None
        return table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value

    # ── keys ─────────────────────────────────────────────────────────────────────────────────────

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Before a question or a page none of the table's keys counts, but ctrl-C."""
        return len(self.screen_stack) == 1 or (
            action not in ("end", "inspect", "stack", "order")
            and (action != "leave" or parameters == (ExitCode.INTERRUPTED,))
        )

    def action_leave(self, code: int) -> None:
        """Give the terminal back."""
        self.exit(code)

    def action_order(self, order: str) -> None:
        """Sort by another column."""
        self._order = order
        self._draw()

    def action_inspect(self) -> None:
        """Show all that is known of the run."""
        if run_id := self._chosen():
            self._read(lambda: "\n".join(inspecting.page(self._client.get(run_id), time.time())))

    def action_stack(self) -> None:
        """Show where its agent is in its code."""
        if run_id := self._chosen():
            self._read(lambda: tame(self._client.stack(run_id)))

    def action_end(self, how: str) -> None:
        """Stop or kill it, if that is meant."""
        row = self._rows.get(self._chosen() or "")
        if row is None or row.run.ended:
            return
        run = row.run

        def answered(yes: bool | None) -> None:
            if yes:
                self._end(run, how)

        self.push_screen(
            Question(one_line(f"{how.capitalize()} {run.run_id} ({run.agent}, {run.status})?")), answered
        )

    @work(thread=True, exit_on_error=False)
    def _read(self, text: Callable[[], str]) -> None:
        try:
            self.call_from_thread(self.push_screen, Page(text()))
        except ClientError as error:
            self.call_from_thread(self._say, str(error), True)

    @work(thread=True, exit_on_error=False)
    def _end(self, run: RunInfo, how: str) -> None:
        """The rung is seen in the table as it climbs; the receipt is told at the end."""
        try:
            with contextlib.suppress(RunEnded):  # it was quicker
                self._client.kill(run.run_id) if how == "kill" else self._client.stop(run.run_id)
            self.call_from_thread(self._look)
            ended = self._client.wait(run.run_id)
        except ClientError as error:
            self.call_from_thread(self._say, str(error), True)
        else:
            survived = bool(ended.exit and ended.exit.survivors)
            self.call_from_thread(self._say, describing.receipt(ended), survived)
            self.call_from_thread(self._look)

    def _say(self, text: str, is_bad: bool) -> None:
        severity: SeverityLevel = "error" if is_bad else "information"
        self.notify(one_line(text), severity=severity, timeout=SHOW_RECEIPT_S, markup=False)


def _cell(at: int, text: str) -> Text:
    return Text(text, justify="right" if at in run_table.NUMBERS else "left", no_wrap=True)
