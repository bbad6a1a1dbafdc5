// How a run ended: the true cause, and the receipt that nothing of it is left.

import { el } from "./dom.js";
import { bytes, cause, clock, duration, isOver, precisely, proofWord, rungWord, stateWord } from "./words.js";

/** What tells of a run's end; null while it lives. */
export function receipt(run) {
  if (!isOver(run.status)) return null;
  const exit = run.exit ?? {};
  const survivors = exit.survivors ?? [];
  const facts = [
    ["Ended by", exit.rung ? rungWord(exit.rung) : "itself"],
    ["Took", typeof exit.took_ms === "number" ? `${precisely(exit.took_ms)}, to the proof` : null],
    ["Proof", exit.proof ? proofWord(exit.proof) : null],
    ["Survivors", survivors.length ? `pids ${survivors.join(", ")}` : "none"],
    ["Exit", exit.signal ?? (typeof exit.code === "number" ? `code ${exit.code}` : null)],
    ["Peak memory", bytes(exit.max_rss_bytes)],
    ["CPU", typeof exit.cpu_s === "number" ? `${exit.cpu_s.toFixed(2)} s` : null],
    ["Lived", run.started_at && run.ended_at ? `${duration(run.ended_at - run.started_at)}, to ${clock(run.ended_at)}` : null],
    ["Tokens", run.usage?.total_tokens ? String(run.usage.total_tokens) : null],
    ["Network", exit.network ? `${bytes(exit.network.sent_bytes)} sent, ${bytes(exit.network.received_bytes)} received, ${exit.network.refused} refused` : null],
  ].filter(([, told]) => told);
  return el(
    "section",
    { class: `receipt ${survivors.length ? "bad" : ""}`, "data-status": run.status, "aria-label": "Receipt" },
    el("h3", {}, headline(run)),
    el("dl", {}, ...facts.flatMap(([name, told]) => [el("dt", {}, name), el("dd", {}, told)])),
    ...blocks(run, exit),
  );
}

function headline(run) {
  const told = cause(run);
  return told === stateWord(run.status) ? capital(told) : `${capital(stateWord(run.status))}: ${told}`;
}

function blocks(run, exit) {
  const shown = [];
  if (run.error && run.error.includes("\n")) shown.push(folded("Error", run.error, false));
  if (run.output !== null && run.output !== undefined && run.output !== "") shown.push(folded("Output", outputText(run.output), false));
  if (exit.stderr_tail) shown.push(folded("End of stderr", exit.stderr_tail, run.status === "failed"));
  return shown;
}

function folded(title, text, open) {
  return el("details", { open }, el("summary", {}, title), el("pre", { tabindex: "0" }, text));
}

const outputText = (output) => (typeof output === "string" ? output : JSON.stringify(output, null, 2));
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
