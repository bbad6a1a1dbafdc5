// What a run says, as it says it: its words as text, its tools, its milestones, its questions.
//
// Events come faster than a page can be laid out, so they are gathered and put up once a frame. What is kept on the
// page is bounded: the oldest goes first, and is still in the journal.

import { el, setText } from "./dom.js";
import { Question } from "./question.js";
import { bytes, cause, clock, duration, precisely, rungWord, shortId, stateWord } from "./words.js";

const MOST_BLOCKS = 1000;
const MOST_CHARACTERS = 200_000;
const BLOCK_CHARACTERS = 4_000;
const FRESH_CHARACTERS = 16_000; // of words that are put up at once; who says more is too fast to be read
const PUT_SHARE = 4; // between two times passes at least so many times what the first took

const LINES = {
  "run.queued": (event) => (event.position > 1 ? `queued, ${event.position - 1} before it` : "queued"),
  "run.started": (event) => `started${event.attempt > 1 ? `, attempt ${event.attempt}` : ""}, pid ${event.pid}`,
  "run.stopping": (event) => `stop: ${rungWord(event.mode)}${event.reason ? ` (${event.reason})` : ""}`,
  "run.restarting": (event) => `${event.error ?? event.reason}; attempt ${event.attempt} begins in ${duration(event.delay_s)}`,
  "run.warning": (event) => event.message,
  "run.steered": (event) => `guided: ${event.input ?? event.message ?? event.text ?? ""}`,
  "run.completed": () => "completed",
  "run.failed": (event) => `failed: ${cause(event)}`,
  "run.cancelled": (event) => `${stateWord("cancelled")}: ${cause(event)}`,
  "stream.gap": (event) => `events ${event.from} to ${event.to} are not kept any more`,
  "subagent.start": (event) => event.agent ?? "",
  "subagent.complete": (event) => `${event.status ?? "ended"}${event.summary ? `: ${short(event.summary)}` : ""}`,
};
const RUN_ID = /^run_[0-9a-f]{1,64}$/;
const COMMON = new Set(["event", "run_id", "seq", "timestamp"]);

/** A run's events on the page. `onanswer(requestId, choice)` and `onguide(text)` return promises; `mayAct`: whether to offer buttons. */
export class Transcript {
  constructor({ onanswer, onguide, mayAct, after }) {
    this.onanswer = onanswer;
    this.mayAct = mayAct;
    this.waiting = [];
    this.questions = new Map();
    this.tools = new Map();
    this.characters = 0;
    this.restUntil = 0;
    this.sticks = true;
    this.dropped = el("p", { class: "dropped", hidden: true });
    this.blocks = el("div", { class: "blocks" });
    this.latest = el("button", { class: "latest", type: "button", hidden: true, onclick: () => this.#toEnd() }, "To the newest");
    this.scroller = el("div", { class: "transcript", tabindex: "0", role: "region", "aria-label": "Events" }, this.dropped, this.blocks);
    this.guide = mayAct ? guideForm(onguide) : null;
    this.node = el("div", { class: "events" }, el("div", { class: "scrolled" }, this.scroller, this.latest), this.guide);
    this.scroller.addEventListener("scroll", () => this.#noteScroll(), { passive: true });
    if (after > 0) this.#tellDropped(`This is the end of it; ${after} earlier events are in the journal.`);
  }

  /** One more event. */
  add(event) {
    this.waiting.push(event);
    if (this.waiting.length > 1) return;
    setTimeout(() => requestAnimationFrame(() => this.#flush()), this.restUntil - performance.now());
  }

  /** Nothing more will be answered: the run is over. */
  close() {
    for (const question of this.questions.values()) question.close();
    this.guide?.remove();
  }

  /** Bring up to date what tells of time. */
  tick() {
    for (const question of this.questions.values()) question.tick();
  }

  #flush() {
    const began = performance.now();
    const events = this.waiting;
    this.waiting = [];
    const { shown, passed } = newest(events);
    if (passed) this.#block("passed", `… ${passed} events went by too fast to be shown …`);
    for (const event of shown) this.#put(event);
    this.#trim();
    if (this.sticks) this.scroller.scrollTop = this.scroller.scrollHeight;
    else this.latest.hidden = false;
    const ended = performance.now();
    this.restUntil = ended + PUT_SHARE * (ended - began);
  }

  #put(event) {
    const name = event.event;
    if (name === "message.delta" || name === "reasoning.delta") this.#say(name, event.delta);
    else if (name === "reasoning.available") this.#block("reasoning", event.text);
    else if (name === "log") this.#say(`log ${event.stream}`, event.text);
    else if (name === "tool.started") this.#toolStarted(event);
    else if (name === "tool.completed") this.#toolCompleted(event);
    else if (name === "approval.request") this.#ask(event);
    else if (name === "approval.responded") this.#answered(event);
    else this.#line(event);
  }

  #say(kind, text) {
    if (typeof text !== "string" || text === "") return;
    const open = this.blocks.lastElementChild;
    if (open?.dataset.kind === kind && open.firstChild.length < BLOCK_CHARACTERS) {
      open.firstChild.appendData(text);
      this.characters += text.length;
    } else {
      this.#block(kind, text);
    }
  }

  #block(kind, text) {
    const node = el("p", { class: `say ${kind.replace(".delta", "")}`, "data-kind": kind });
    node.append(document.createTextNode(String(text ?? "")));
    this.characters += node.firstChild.length;
    this.blocks.append(node);
  }

  #line(event) {
    const known = LINES[event.event];
    const told = known ? known(event) : fieldsOf(event);
    const kind = event.event.startsWith("run.") ? "milestone" : "other";
    this.#append(kind, event, el("span", { class: "name" }, event.event), el("span", {}, told), linkTo(event.child_run_id));
  }

  #toolStarted(event) {
    const took = el("span", { class: "took" }, "…");
    const preview = el("code", {}, short(event.preview));
    this.#append("tool", event, el("b", {}, String(event.tool)), preview, took);
    this.tools.set(event.tool, took);
  }

  #toolCompleted(event) {
    const took = this.tools.get(event.tool);
    this.tools.delete(event.tool);
    const told = typeof event.duration === "number" ? precisely(event.duration * 1000) : "done";
    const shown = event.error ? `failed${event.error === true ? "" : `: ${short(event.error)}`} · ${told}` : told;
    if (took) {
      setText(took, shown);
      took.classList.toggle("bad", Boolean(event.error));
    } else {
      this.#append("tool", event, el("b", {}, String(event.tool)), el("span", { class: "took" }, shown));
    }
  }

  #ask(event) {
    const question = new Question(event, this.mayAct, this.onanswer);
    this.questions.set(event.request_id, question);
    this.blocks.append(question.node);
  }

  #answered(event) {
    const question = this.questions.get(event.request_id);
    if (question) question.answered(event);
    else this.#line(event);
  }

  #append(kind, event, ...children) {
    this.blocks.append(el("div", { class: kind }, el("time", {}, clock(event.timestamp)), ...children));
  }

  #trim() {
    let gone = 0;
    while (this.blocks.childElementCount > MOST_BLOCKS || (this.characters > MOST_CHARACTERS && this.blocks.childElementCount > 1)) {
      const oldest = this.blocks.firstElementChild;
      if (oldest.dataset.kind) this.characters -= oldest.firstChild.length;
      oldest.remove();
      gone += 1;
    }
    if (gone) this.#tellDropped(`Only the newest is shown: about ${bytes(this.characters)}. All of it is in the journal.`);
  }

  #tellDropped(text) {
    this.dropped.hidden = false;
    setText(this.dropped, text);
  }

  #noteScroll() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    this.sticks = scrollHeight - scrollTop - clientHeight < 40;
    if (this.sticks) this.latest.hidden = true;
  }

  #toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }
}

/** A line in which to tell a live run something; it is emptied once the agent took it. */
function guideForm(onguide) {
  const line = el("input", { type: "text", "aria-label": "Guide this run", placeholder: "Guide this run …", autocomplete: "off" });
  const send = el("button", { type: "submit" }, "Send");
  return el("form", { class: "guide", onsubmit: take }, line, send);

  async function take(event) {
    event.preventDefault();
    if (line.value.trim() === "") return;
    send.disabled = true;
    if (await onguide(line.value)) line.value = "";
    send.disabled = false;
  }
}

/** A link to another run; null where that is none. */
const linkTo = (runId) => (RUN_ID.test(runId ?? "") ? el("a", { href: `#${runId}` }, shortId(runId)) : null);

/** Of all that came, what can be read: of words the last ones; of everything else, as much as is kept anyway. */
function newest(events) {
  let [characters, others] = [0, 0];
  const shown = [];
  for (let n = events.length - 1; n >= 0; n -= 1) {
    const text = events[n].delta ?? events[n].text;
    if (typeof text === "string") characters += text.length;
    else others += 1;
    if (typeof text === "string" ? characters <= FRESH_CHARACTERS || shown.length === 0 : others <= MOST_BLOCKS) shown.push(events[n]);
  }
  return { shown: shown.reverse(), passed: events.length - shown.length };
}

function fieldsOf(event) {
  const own = Object.entries(event).filter(([name]) => !COMMON.has(name));
  return own.map(([name, value]) => `${name} ${short(value)}`).join(" · ");
}

const short = (value) => {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  return text.length > 400 ? `${text.slice(0, 400)}…` : text;
};
