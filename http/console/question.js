// A question of an agent, with a button for each answer that it takes. Who clicked first has answered for all.

import { el, setText } from "./dom.js";
import { duration } from "./words.js";

const WORDS = { once: "Allow once", session: "Allow for this session", always: "Always allow", deny: "Deny" };
const KNOWN = new Set(["event", "run_id", "seq", "timestamp", "request_id", "prompt", "choices", "expires_at"]);
const MOST_CHARACTERS = 2000;
const USUAL = ["once", "session", "always", "deny"];

/** `event`: its `approval.request`. `onanswer(requestId, choice)` returns a promise that may be refused. */
export class Question {
  constructor(event, mayAct, onanswer) {
    this.expiresAt = event.expires_at;
    this.onanswer = (choice) => onanswer(event.request_id, choice);
    this.left = el("span", { class: "left" });
    this.outcome = el("p", { class: "outcome", role: "status" }, mayAct ? "" : "Your key may not answer.");
    const choices = Array.isArray(event.choices) && event.choices.length ? event.choices : USUAL;
    this.buttons = mayAct ? choices.map((choice) => this.#button(String(choice))) : [];
    this.node = el(
      "div",
      { class: "question", role: "group", "aria-label": "The agent asks for approval" },
      el("p", { class: "asks" }, "Needs approval ", this.left),
      el("p", { class: "prompt" }, String(event.prompt ?? "")),
      moreOf(event),
      el("div", { class: "choices" }, ...this.buttons),
      this.outcome,
    );
    this.tick();
  }

  /** It was answered, here or elsewhere, or by its deadline; `event`: its `approval.responded`. */
  answered({ choice, note, timed_out: late }) {
    this.#settle(`${late ? "Nobody answered in time" : "Answered"}: ${WORDS[choice] ?? choice}${note ? ` (${note})` : ""}`);
  }

  /** Nobody will ask again: the run is over. */
  close() {
    if (!this.settled) this.#settle("Not answered.");
  }

  /** Tell how long there is left. */
  tick() {
    if (!this.settled && this.expiresAt) {
      setText(this.left, `· ${duration(Math.max(0, this.expiresAt - Date.now() / 1000))} left`);
    }
  }

  #button(choice) {
    const kind = choice === "deny" ? "danger" : "";
    return el("button", { type: "button", class: kind, "data-choice": choice, onclick: () => this.#send(choice) }, WORDS[choice] ?? choice);
  }

  async #send(choice) {
    this.#enable(false);
    try {
      await this.onanswer(choice);
    } catch (error) {
      if (this.settled) return;
      setText(this.outcome, error.message);
      this.#enable(true);
    }
  }

  #settle(told) {
    this.settled = true;
    this.node.classList.add("settled");
    setText(this.left, "");
    setText(this.outcome, told);
    this.#enable(false);
  }

  #enable(enabled) {
    for (const button of this.buttons) button.disabled = !enabled;
  }
}

/** What else the agent tells of what it asks for, such as the command that it wants to run. */
function moreOf(event) {
  const own = Object.entries(event).filter(([name, value]) => !KNOWN.has(name) && value !== null);
  if (own.length === 0) return null;
  const rows = own.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, el("code", {}, shortly(value)))]);
  return el("dl", {}, ...rows);
}

function shortly(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
}
