// What holds a run, and how far its stop has climbed.

import { el, icon, setText } from "./dom.js";
import { isOver } from "./words.js";

const RUNGS = ["interrupt", "terminate", "kill"];
const RUNG_WORDS = { interrupt: "Asked to stop", terminate: "SIGTERM", kill: "Kill" };

/** The run's containment: its kill rung, and on demand each wall and limit with what holds it. */
export class Held {
  constructor() {
    this.summary = el("summary");
    this.list = el("dl");
    this.node = el("details", { class: "held" }, this.summary, this.list);
  }

  show(containment) {
    this.node.hidden = !containment;
    const told = JSON.stringify(containment);
    if (!containment || told === this.told) return;
    this.told = told;
    const missing = containment.missing ?? [];
    const mark = el("span", { class: missing.length ? "lacks" : "holds" }, icon("i-shield"), ` ${containment.kill || "nothing"}`);
    this.summary.replaceChildren("Held by ", mark, missing.length ? ` · missing: ${missing.join(", ")}` : " · nothing missing");
    const rows = [...Object.entries(containment.applied ?? {}), ...missing.map((axis) => [axis, "missing"])];
    this.list.replaceChildren(...rows.flatMap(([axis, by]) => [el("dt", {}, axis), el("dd", {}, by)]));
  }
}

/** A stop as it climbs: which rung it is at now. */
export class Ladder {
  constructor() {
    this.rungs = RUNGS.map((rung) => el("li", {}, RUNG_WORDS[rung]));
    this.said = el("span", { class: "unseen", role: "status" });
    this.node = el("div", { class: "ladder" }, el("ol", { "aria-label": "The stop" }, ...this.rungs), this.said);
  }

  show(run) {
    const now = RUNGS.indexOf(run.rung);
    this.node.hidden = isOver(run.status) || now < 0;
    if (this.node.hidden) return;
    this.rungs.forEach((node, n) => {
      node.className = n < now ? "past" : n === now ? "now" : "";
    });
    setText(this.said, `Stopping: ${RUNG_WORDS[run.rung]}`);
  }
}
