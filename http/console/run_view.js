// One run, in full: what it is, what it uses, what it says, and the means to end it.

import { ask, pathOf } from "./api.js";
import { el, icon, setText, sparkline, stateMark } from "./dom.js";
import { FilesPane } from "./files.js";
import { Held, Ladder } from "./held.js";
import { LogPane, RecordPane, StackPane } from "./panes.js";
import { receipt } from "./receipt.js";
import { Stream } from "./stream.js";
import { Transcript } from "./transcript.js";
import { bytes, clock, duration, isOver, percent, rate, shortId, stateWord } from "./words.js";

const BACKLOG = 3000; // events of a long run that are shown at first
const ENDS = new Set(["run.completed", "run.failed", "run.cancelled"]);

/**
 * Shown in `place` until `close`. `entry` is the model's. `onclose()`, `onkill(run)`: ask for a kill; `onnews()`: the
 * run may have ended, so look at it again; `onforget(run)`; `tell(text)`: a short note.
 */
export class RunView {
  constructor(place, entry, { mayAct, onclose, onkill, onforget, onnews, tell }) {
    this.entry = entry;
    this.id = entry.run.run_id;
    this.mayAct = mayAct;
    this.hooks = { onclose, onkill, onforget, onnews, tell };
    const after = Math.max(0, entry.run.last_seq - BACKLOG);
    this.transcript = new Transcript({
      mayAct,
      after,
      onanswer: (request, choice) => this.#answer(request, choice),
      onguide: (input) => this.#guide(input),
    });
    this.panes = { events: this.transcript, log: new LogPane(this.id), stack: new StackPane(this.id), files: new FilesPane(entry.run), record: new RecordPane() };
    this.held = new Held();
    this.ladder = new Ladder();
    this.end = el("div", { class: "end" });
    place.replaceChildren(this.#head(), this.#figures(), this.held.node, this.ladder.node, this.end, this.#tabs());
    place.hidden = false;
    this.#select("events");
    this.update();
    this.#follow(after);
  }

  close() {
    this.stream?.close();
    Object.values(this.panes).forEach((pane) => pane.hide?.());
  }

  /** The entry changed, or time passed. */
  update() {
    const { run } = this.entry;
    const over = isOver(run.status);
    this.mark.set(run.status, stateWord(run.status));
    setText(this.times, timesOf(run, over));
    this.#showFigures(run, over);
    this.held.show(run.containment);
    this.ladder.show(run);
    this.stop.hidden = this.kill.hidden = over || !this.mayAct;
    this.forget.hidden = !over || !this.mayAct;
    setText(this.stop, run.status === "stopping" ? "Stop harder" : "Stop");
    if (over && this.shownEnd !== run.updated_at) {
      this.shownEnd = run.updated_at;
      this.end.replaceChildren(receipt(run));
      this.transcript.close();
    }
    this.transcript.tick();
    this.panes[this.tab].update?.(run);
  }

  #follow(after) {
    this.stream = new Stream((seen) => pathOf(this.id, `events?after=${seen ?? after}`), {
      onmessage: (event) => {
        this.transcript.add(event);
        if (!ENDS.has(event.event)) return;
        this.stream.close();
        this.hooks.onnews();
      },
      onstate: (state) => {
        if (state !== "refused") return;
        if (this.entry.over) this.stream.close(); // a 204: all is told
        this.hooks.onnews(); // or the run is gone
      },
    });
  }

  #head() {
    this.mark = stateMark();
    this.times = el("p", { class: "times" });
    const closing = el("button", { class: "icon", type: "button", onclick: () => this.hooks.onclose() }, icon("i-close"), unseen("Close"));
    this.stop = el("button", { type: "button", onclick: () => this.#stop() }, "Stop");
    this.kill = el("button", { type: "button", class: "danger", onclick: () => this.hooks.onkill(this.entry.run) }, "Kill");
    this.forget = el("button", { type: "button", onclick: () => this.hooks.onforget(this.entry.run) }, "Forget");
    const copy = el("button", { class: "icon", type: "button", onclick: () => this.#copy() }, icon("i-copy"), unseen("Copy the run's id"));
    const title = el("h2", { tabindex: "-1" }, this.entry.run.agent, " ", el("code", { title: this.id }, shortId(this.id)));
    this.title = title;
    const acts = el("div", { class: "acts" }, this.stop, this.kill, this.forget);
    return el(
      "header",
      {},
      el("div", { class: "name" }, this.mark.node, title, copy, el("span", { class: "space" }), acts, closing),
      this.times,
      parentOf(this.entry.run),
    );
  }

  #figures() {
    this.figures = {};
    const figure = (name, title, least) => {
      const line = least === undefined ? null : sparkline(120, 26, least);
      const [term, value] = [el("dt", {}, title), el("dd")];
      this.figures[name] = { term, value, line };
      return el("div", { class: "figure", "data-figure": name }, term, value, line && el("dd", { class: "line" }, line.node));
    };
    return el("dl", { class: "figures" }, figure("cpu", "CPU", 0.5), figure("memory", "Memory", 2 ** 20), figure("processes", "Processes"), figure("events", "Events"));
  }

  #showFigures(run, over) {
    const { cpu, memory, processes, events } = this.figures;
    setText(cpu.term, over ? "CPU, in all" : "CPU");
    setText(memory.term, over ? "Memory, at most" : "Memory");
    setText(cpu.value, over ? told(run.exit?.cpu_s, (s) => `${s.toFixed(2)} s`) : told(this.entry.cpu, percent));
    setText(memory.value, told(over ? run.exit?.max_rss_bytes : run.process?.rss_bytes, bytes));
    setText(processes.value, over ? "0" : told(run.process?.processes, String));
    setText(events.value, `${run.last_seq}${this.entry.rate === null ? "" : ` · ${rate(this.entry.rate)}/s`}`);
    if (this.drawn === this.entry.samples) return;
    this.drawn = this.entry.samples;
    cpu.line.draw(this.entry.cpus);
    memory.line.draw(this.entry.memory);
  }

  #tabs() {
    const titles = { events: "Events", log: "Log", stack: "Stack", files: "Files", record: "Record" };
    this.pane = el("div", { class: "pane", role: "tabpanel", id: "pane" });
    this.buttons = Object.entries(titles).map(([name, title]) =>
      el("button", { role: "tab", type: "button", "data-tab": name, "aria-controls": "pane", onclick: () => this.#select(name) }, title),
    );
    const list = el("div", { class: "tabs", role: "tablist", "aria-label": "About this run" }, ...this.buttons);
    list.addEventListener("keydown", (event) => this.#arrow(event));
    return el("div", { class: "about" }, list, this.pane);
  }

  #select(name) {
    this.panes[this.tab]?.hide?.();
    this.tab = name;
    for (const button of this.buttons) {
      const chosen = button.dataset.tab === name;
      button.setAttribute("aria-selected", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
      if (chosen) this.pane.setAttribute("aria-label", button.textContent);
    }
    this.pane.replaceChildren(this.panes[name].node);
    this.panes[name].update?.(this.entry.run);
    this.panes[name].show?.(this.entry.run);
  }

  #arrow(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const now = this.buttons.findIndex((button) => button.dataset.tab === this.tab);
    const next = this.buttons[(now + step + this.buttons.length) % this.buttons.length];
    this.#select(next.dataset.tab);
    next.focus();
    event.preventDefault();
  }

  async #stop() {
    this.stop.disabled = true;
    try {
      await ask("POST", pathOf(this.id, "stop"), { reason: "from the console" });
    } catch (error) {
      this.hooks.tell(error.message);
    }
    this.stop.disabled = false;
  }

  #answer(requestId, choice) {
    return ask("POST", pathOf(this.id, "approval"), { choice, request_id: requestId });
  }

  async #guide(input) {
    try {
      await ask("POST", pathOf(this.id, "steer"), { input });
      return true;
    } catch (error) {
      this.hooks.tell(error.message);
      return false;
    }
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.id); // there is none where the page came over plain HTTP from elsewhere
      this.hooks.tell(`${this.id} copied`);
    } catch {
      this.hooks.tell(this.id);
    }
  }
}

function parentOf({ parent_run_id: parent }) {
  return parent ? el("p", { class: "times" }, "begun by ", el("a", { href: `#${parent}` }, shortId(parent))) : null;
}

function timesOf(run, over) {
  const began = run.started_at ?? run.created_at;
  const parts = [`${run.started_at ? "started" : "asked for"} ${clock(began)}`];
  parts.push(over ? `lived ${duration(run.ended_at - began)}` : duration(Date.now() / 1000 - began));
  if (run.next_attempt_at && !over) parts.push(`the next attempt begins in ${duration(run.next_attempt_at - Date.now() / 1000)}`);
  if (run.attempt > 1) parts.push(`attempt ${run.attempt}`);
  if (run.session_id && run.session_id !== run.run_id) parts.push(`session ${run.session_id}`);
  if (run.process?.pid) parts.push(`pid ${run.process.pid}`);
  return parts.join(" · ");
}

const told = (value, word) => (value === null || value === undefined ? "–" : word(value));
const unseen = (text) => el("span", { class: "unseen" }, text);
