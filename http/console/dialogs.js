// The questions that the page asks: what to start, whether to kill; and what holds the runs of this machine.

import { ApiError, ask } from "./api.js";
import { el, icon, setText } from "./dom.js";

/** Ask which run to start; the new run's id, or null. */
export async function startDialog() {
  const { data } = await ask("GET", "/v1/agents");
  const agent = el("select", { id: "start-agent", required: true }, ...data.map(({ name }) => el("option", { value: name }, name)));
  const about = el("p", { class: "hint", id: "start-about" });
  const input = el("textarea", { id: "start-input", rows: "5", required: true, spellcheck: "false" });
  const session = el("input", { id: "start-session", type: "text", autocomplete: "off" });
  const wall = el("input", { id: "start-wall", type: "number", min: "1", step: "1" });
  const describe = () => setText(about, aboutAgent(data.find(({ name }) => name === agent.value)));
  agent.addEventListener("change", describe);
  describe();
  return open({
    title: "New run",
    act: "Start",
    body: [
      field("Agent", agent, about),
      field("Input", input),
      el("details", {}, el("summary", {}, "More"), field("Session", session), field("Time limit, seconds", wall)),
    ],
    first: input,
    async done() {
      const body = { agent: agent.value, input: input.value };
      if (session.value) body.session_id = session.value;
      if (wall.value) body.limits = { wall_s: Number(wall.value) };
      return (await ask("POST", "/v1/runs", body)).run_id;
    },
  });
}

/** Ask whether to do what can't be undone; `work()` does it. Returns whether it was done. */
export async function confirmDialog(title, text, act, work) {
  const done = async () => {
    await work();
    return true;
  };
  return (await open({ title, act, danger: true, body: [el("p", {}, text)], done })) === true;
}

/** Ask which of these live runs to stop, and how; how many are stopping then, or null. */
export function stopManyDialog(entries) {
  const agents = new Map();
  for (const { run } of entries) agents.set(run.agent, 1 + (agents.get(run.agent) ?? 0));
  const which = el("select", { id: "stop-which" }, el("option", { value: "" }, `All that are live: ${entries.length}`));
  for (const [agent, runs] of agents) which.append(el("option", { value: agent }, `Those of ${agent}: ${runs}`));
  const how = el("select", { id: "stop-how" }, el("option", { value: "interrupt" }, "Ask them first"), el("option", { value: "kill" }, "Kill them at once"));
  return open({
    title: "Stop many runs",
    act: "Stop them",
    danger: true,
    body: [field("Which", which), field("How", how)],
    first: which,
    async done() {
      const wanted = which.value ? { agent: which.value } : { all: true };
      const { stopping } = await ask("POST", "/v1/runs/stop", { ...wanted, mode: how.value, reason: "from the console" });
      return stopping.length;
    },
  });
}

/** Tell what holds runs here: the report of `/health/detailed`. */
export function containmentDialog(report) {
  const missing = [...report.limits, ...report.walls].filter(({ by }) => by === null);
  const held = [...report.limits, ...report.walls].filter(({ by }) => by !== null);
  return open({
    title: `Containment: ${report.kill}`,
    body: [
      el("p", {}, `${report.promise.charAt(0).toUpperCase()}${report.promise.slice(1)}.`),
      el("p", { class: "hint" }, `Proof of an end: ${report.proof}`),
      list("Missing here", missing.map(({ axis, why }) => [axis, why ?? "nobody holds it"]), "bad"),
      list("Held for every run", held.map(({ axis, by, why }) => [axis, why ? `${by}; ${why}` : by])),
      list("What an administrator could do", report.advice.map((text) => ["", text])),
    ],
  });
}

/** How many axes nobody holds. */
export const missingOf = (report) => [...report.limits, ...report.walls].filter(({ by }) => by === null).length;

/** A dialog over the page, until it is answered: what `done` returned, null where it was left. */
function open({ title, act = null, danger = false, body, first = null, done = null }) {
  const problem = el("p", { class: "problem", role: "alert" });
  const leave = el("button", { type: "button" }, act ? "Cancel" : "Close");
  const go = act && el("button", { type: "submit", class: danger ? "danger full" : "main" }, act);
  const heading = el("h2", { id: "dialog-title" }, title);
  const form = el("form", { method: "dialog" }, heading, ...body.filter(Boolean), problem, el("div", { class: "choices" }, ...[leave, go].filter(Boolean)));
  const dialog = el("dialog", { "aria-labelledby": "dialog-title" }, form);
  document.body.append(dialog);
  return new Promise((resolve) => {
    let outcome = null;
    leave.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(outcome);
    });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      go.disabled = true;
      try {
        outcome = await done();
        dialog.close();
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        setText(problem, error.message);
        go.disabled = false;
      }
    });
    form.addEventListener("keydown", (event) => {
      if (go && event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
    dialog.showModal();
    (first ?? go ?? leave).focus();
  });
}

function field(title, control, ...more) {
  return el("div", { class: "field" }, el("label", { for: control.id }, title), control, ...more);
}

function list(title, rows, kind = "") {
  if (rows.length === 0) return null;
  const heading = el("h3", {}, kind === "bad" ? icon("s-waiting_for_approval") : null, title);
  const items = rows.flatMap(([name, text]) => (name ? [el("dt", {}, name), el("dd", {}, text)] : [el("dd", { class: "whole" }, text)]));
  return el("section", { class: `told-list ${kind}` }, heading, el("dl", {}, ...items));
}

function aboutAgent(agent) {
  if (!agent) return "";
  const parts = [agent.description, agent.kind, `network: ${agent.network}`, agent.health === "ready" || agent.health === "idle" ? null : agent.health];
  return [...parts, ...agent.warnings].filter(Boolean).join(" · ");
}
