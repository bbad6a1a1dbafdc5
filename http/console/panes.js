// What is asked for only while somebody looks at it: a run's log, its stacks, its record.

import { ApiError, pathOf, text } from "./api.js";
import { el, setText } from "./dom.js";
import { clock, isOver, plain } from "./words.js";

const TAIL_LINES = 1000;
const AGAIN_MS = 1500;

/** What the run wrote to stdout and stderr. */
export class LogPane {
  constructor(runId) {
    this.id = runId;
    this.which = el("select", { "aria-label": "Which log", onchange: () => this.#read() }, ...["stderr", "stdout", "both"].map((name) => el("option", {}, name)));
    this.told = el("p", { class: "told" });
    this.text = el("pre", { tabindex: "0", role: "region", "aria-label": "What it wrote" });
    this.node = el("div", { class: "sheet" }, el("div", { class: "sheet-tools" }, this.which, this.told), this.text);
  }

  show(run) {
    this.run = run;
    this.#read();
  }

  hide() {
    this.run = null;
    this.#drop();
  }

  update(run) {
    this.run = run;
  }

  async #read() {
    this.#drop();
    const reading = (this.reading = new AbortController());
    try {
      const log = plain(await text(pathOf(this.id, `logs?stream=${this.which.value}&tail=${TAIL_LINES}`), reading.signal));
      this.#put(log);
    } catch (error) {
      if (reading.signal.aborted) return;
      setText(this.told, error.message);
    }
    if (this.run && !isOver(this.run.status)) this.timer = setTimeout(() => this.#read(), AGAIN_MS);
  }

  #drop() {
    clearTimeout(this.timer);
    this.reading?.abort();
  }

  #put(log) {
    const atEnd = this.text.scrollHeight - this.text.scrollTop - this.text.clientHeight < 40;
    setText(this.text, log);
    setText(this.told, log ? `The last ${TAIL_LINES} lines at most.` : "Nothing was written.");
    if (atEnd) this.text.scrollTop = this.text.scrollHeight;
  }
}

/** Where the run's agent is in its code; asked for when it is opened, and again by its button. */
export class StackPane {
  constructor(runId) {
    this.id = runId;
    this.again = el("button", { type: "button", onclick: () => this.show() }, "Look again");
    this.told = el("p", { class: "told", role: "status" });
    this.text = el("pre", { tabindex: "0", role: "region", "aria-label": "Stacks" });
    this.node = el("div", { class: "sheet" }, el("div", { class: "sheet-tools" }, this.again, this.told), this.text);
  }

  async show(run) {
    if (run && isOver(run.status)) return setText(this.told, "Only a live run has stacks.");
    this.again.disabled = true;
    setText(this.told, "Asking the agent’s process …");
    try {
      setText(this.text, await text(pathOf(this.id, "stack")));
      setText(this.told, `As of ${clock(Date.now() / 1000)}.`);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setText(this.told, error.message);
    }
    this.again.disabled = false;
  }
}

/** The run object, as the API has it. */
export class RecordPane {
  constructor() {
    this.text = el("pre", { tabindex: "0", role: "region", "aria-label": "Run object" });
    this.node = el("div", { class: "sheet" }, this.text);
  }

  update(run) {
    setText(this.text, JSON.stringify(run, null, 2));
  }
}
