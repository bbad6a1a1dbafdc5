// The table of runs: only rows that can be seen are in the page, and only what changed in them is written.
//
// It is one stop of the Tab key. Arrows, Page Up and Down, Home and End move the cursor, which keeps to its run, not to
// its place; Enter opens.

import { el, setAttribute, setText, sparkline, stateMark } from "./dom.js";
import { bytes, clock, duration, lastWord, percent, rate, shortId, stateWord } from "./words.js";

const COLUMNS = [
  { name: "state", title: "State", by: "state" },
  { name: "run", title: "Run", by: "agent" },
  { name: "age", title: "Age", by: "created" },
  { name: "cpu", title: "CPU", by: "cpu", descending: true },
  { name: "memory", title: "Memory", by: "memory", descending: true },
  { name: "processes", title: "Procs", by: "processes", descending: true },
  { name: "rate", title: "Events/s", by: "rate", descending: true },
  { name: "last", title: "Last event, or its end" },
];
const BEYOND = 6; // rows that are kept ready above and below

export class Table {
  /** `grid`: its element. `onopen(runId)`, `onorder(order)`, and `onend()` when the last rows come into sight. */
  constructor(grid, { onopen, onorder, onend }) {
    this.grid = grid;
    this.onopen = onopen;
    this.onorder = onorder;
    this.onend = onend;
    this.entries = [];
    this.rows = [];
    this.cursor = null; // a run's id
    this.opened = null;
    this.order = { by: "created", descending: true };
    this.head = el("div", { role: "rowgroup", class: "head" }, this.#header());
    this.body = el("div", { role: "rowgroup", class: "body" });
    grid.append(this.head, this.body);
    grid.setAttribute("aria-colcount", COLUMNS.length);
    grid.addEventListener("scroll", () => this.draw(), { passive: true });
    grid.addEventListener("keydown", (event) => this.#key(event));
    this.body.addEventListener("click", (event) => this.#click(event));
    new ResizeObserver(() => this.#measure()).observe(grid);
    this.#measure();
  }

  /** Show these, in this order. */
  show(entries) {
    this.entries = entries;
    this.draw();
  }

  /** The run whose detail is shown; null: none. */
  mark(runId) {
    this.opened = runId;
    if (runId !== null) this.cursor = runId;
    this.draw();
  }

  /** Bring what is seen up to date. */
  draw() {
    const { entries, grid, rowHeight } = this;
    const above = Math.floor(grid.scrollTop / rowHeight) - BEYOND;
    const count = Math.ceil(this.height / rowHeight) + 2 * BEYOND;
    const first = Math.max(0, Math.min(above, entries.length - count));
    const last = Math.min(entries.length, first + count);
    this.body.style.height = `${entries.length * rowHeight}px`;
    setAttribute(grid, "aria-rowcount", String(entries.length + 1));
    this.#pool(last - first);
    const now = Date.now() / 1000;
    for (let index = first; index < last; index += 1) this.#fill(this.rows[index % this.rows.length], index, now);
    const active = entries.slice(first, last).some((entry) => entry.run.run_id === this.cursor);
    setAttribute(grid, "aria-activedescendant", active ? `row-${this.cursor}` : null);
    if (last === entries.length) this.onend();
  }

  #measure() {
    const style = getComputedStyle(this.grid);
    this.rowHeight = parseFloat(style.getPropertyValue("--row")) || 40;
    this.height = this.grid.clientHeight;
    this.draw();
  }

  #pool(count) {
    while (this.rows.length < count) {
      const row = newRow();
      this.rows.push(row);
      this.body.append(row.node);
    }
    while (this.rows.length > count) this.rows.pop().node.remove();
  }

  #fill(row, index, now) {
    const entry = this.entries[index];
    const id = entry.run.run_id;
    if (row.index !== index || row.height !== this.rowHeight) {
      row.node.style.transform = `translateY(${index * this.rowHeight}px)`;
      setAttribute(row.node, "aria-rowindex", String(index + 2));
      [row.index, row.height] = [index, this.rowHeight];
    }
    if (row.id !== id) {
      row.id = row.node.dataset.run = id;
      row.node.id = `row-${id}`;
    }
    setAttribute(row.node, "aria-selected", String(id === this.opened));
    row.node.classList.toggle("cursor", id === this.cursor);
    fillRow(row, entry, now);
  }

  #header() {
    const row = el("div", { role: "row", class: "row", "aria-rowindex": "1" });
    this.heads = COLUMNS.map((column) => {
      const title = column.by ? el("button", { type: "button", onclick: () => this.#sort(column) }, column.title) : column.title;
      return el("div", { role: "columnheader", class: column.name }, title);
    });
    row.append(...this.heads);
    this.#showOrder();
    return row;
  }

  #sort({ by, descending = false }) {
    const again = this.order.by === by;
    this.order = { by, descending: again ? !this.order.descending : descending };
    this.#showOrder();
    this.onorder(this.order);
  }

  #showOrder() {
    COLUMNS.forEach(({ by }, n) => {
      // Age counts from the start, so who was created last is the youngest.
      const up = by === "created" ? this.order.descending : !this.order.descending;
      const sorted = by !== undefined && by === this.order.by;
      setAttribute(this.heads[n], "aria-sort", sorted ? (up ? "ascending" : "descending") : null);
    });
  }

  #click(event) {
    const row = event.target.closest("[role=row]");
    if (row) this.onopen(row.dataset.run);
  }

  #key(event) {
    if (event.target !== this.grid || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.height / this.rowHeight) - 2);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in steps) this.#move(steps[event.key]);
    else if (event.key === "Enter" && this.cursor !== null) this.onopen(this.cursor);
    else return;
    event.preventDefault();
  }

  #move(step) {
    if (this.entries.length === 0) return;
    const now = this.entries.findIndex((entry) => entry.run.run_id === this.cursor);
    const wanted = now < 0 ? 0 : Math.max(0, Math.min(this.entries.length - 1, now + step));
    this.cursor = this.entries[wanted].run.run_id;
    const top = wanted * this.rowHeight;
    const room = this.height - this.head.offsetHeight;
    if (top < this.grid.scrollTop) this.grid.scrollTop = top;
    else if (top + this.rowHeight > this.grid.scrollTop + room) this.grid.scrollTop = top + this.rowHeight - room;
    this.draw();
  }
}

function newRow() {
  const cells = Object.fromEntries(COLUMNS.map(({ name }) => [name, el("div", { role: "gridcell", class: name })]));
  const mark = stateMark();
  const [agent, id, memory] = [el("b"), el("code"), el("span")];
  const spark = sparkline(60, 18, 2 ** 20);
  const [when, word] = [el("time"), el("span")];
  cells.last.append(when, word);
  cells.state.append(mark.node);
  cells.run.append(agent, id);
  cells.memory.append(memory, spark.node);
  const node = el("div", { role: "row", class: "row" }, ...Object.values(cells));
  return { node, cells, mark, agent, idText: id, memory, spark, when, word };
}

function fillRow(row, entry, now) {
  const { run } = entry;
  const { cells } = row;
  const over = entry.over;
  row.mark.set(run.status, stateWord(run.status));
  row.node.classList.toggle("asks", run.status === "waiting_for_approval");
  setText(row.agent, run.agent);
  setText(row.idText, shortId(run.run_id));
  setText(cells.age, duration((run.ended_at ?? now) - run.created_at));
  setText(cells.cpu, over ? used(run.exit?.cpu_s) : entry.cpu === null ? "" : percent(entry.cpu));
  cells.cpu.classList.toggle("much", entry.cpu !== null && entry.cpu >= 0.9);
  setText(row.memory, bytes(over ? run.exit?.max_rss_bytes : run.process?.rss_bytes));
  if (row.drawn !== entry || row.samples !== entry.samples) {
    row.spark.draw(over ? [] : entry.memory);
    [row.drawn, row.samples] = [entry, entry.samples];
  }
  setText(cells.processes, run.process && !over ? String(run.process.processes) : "");
  setText(cells.rate, entry.rate === null ? "" : rate(entry.rate));
  setText(row.when, run.ended_at ? clock(run.ended_at) : "");
  setText(row.word, lastWord(run));
  setAttribute(cells.last, "title", row.word.shown); // all of it, where there is no room
  cells.last.classList.toggle("event", !over);
}

const used = (cpuS) => (typeof cpuS === "number" ? `${cpuS.toFixed(cpuS < 10 ? 1 : 0)} s` : "");
