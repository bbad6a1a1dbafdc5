// What the API says, in words for people: numbers with their units, states, why a run ended. Pure.

const STATES = {
  queued: "queued",
  running: "running",
  waiting_for_approval: "needs approval",
  stopping: "stopping",
  completed: "completed",
  failed: "failed",
  cancelled: "stopped",
};

const CAUSES = {
  completed: () => "completed",
  exception: (run) => firstLine(run.error) || "raised an exception",
  exit_code: (run) => (isNumber(run.exit?.code) ? `exited with code ${run.exit.code}` : "exited with an error"),
  signal: (run) => (run.exit?.signal ? `died of ${run.exit.signal}` : "died of a signal"),
  out_of_memory: () => "killed by the kernel: the machine was out of memory",
  memory_limit: () => "over its memory limit",
  cpu_limit: () => "over its CPU limit",
  wall_limit: () => "over its time limit",
  idle_limit: () => "silent for too long",
  output_limit: () => "over its output limit",
  interrupted: () => "asked to stop, and did",
  terminated: () => "ended by SIGTERM",
  killed: () => "killed",
  start_failed: (run) => `did not start${run.error ? `: ${firstLine(run.error)}` : ""}`,
  lost: (run) => firstLine(run.error) || "lost",
  shutdown: () => "the server shut down",
  kill_stuck: () => "could not be killed: something of it survives",
};

const RUNGS = {
  interrupt: "interrupt: it was asked to",
  terminate: "terminate: by SIGTERM",
  kill: "kill: all of it at once",
};

const PROOFS = {
  cgroup: "its cgroup is empty",
  pidns: "its pid namespace is gone",
  uid: "no process of its user is left",
  echild: "its warden has no child left",
  group: "its process group is gone",
  never_started: "it never had a process",
};

const ENDS = new Set(["completed", "failed", "cancelled"]);

/** Whether a run with this status is over. */
export const isOver = (status) => ENDS.has(status);

/** A status as a word. */
export const stateWord = (status) => STATES[status] ?? status;

/** Why the run ended, as it is known and not guessed; empty while it lives. */
export function cause(run) {
  if (!run.reason) return "";
  const told = CAUSES[run.reason];
  return told ? told(run) : run.reason;
}

/** A run in a few words, for a list: what it said last, or how it ended. */
export function lastWord(run) {
  if (!isOver(run.status)) return run.last_event ?? "";
  if (run.status === "completed") return typeof run.output === "string" ? firstLine(run.output) : "";
  const took = run.exit?.took_ms;
  return run.status === "cancelled" && isNumber(took) ? `${cause(run)} · proved in ${precisely(took)}` : cause(run);
}

/** The rung of the ladder that ended a run. */
export const rungWord = (rung) => RUNGS[rung] ?? rung;

/** What proves that nothing of a run is left. */
export const proofWord = (proof) => (proof in PROOFS ? `${PROOFS[proof]} (${proof})` : proof);

/** A duration: "8 s", "2 m 03 s", "3 h 12 m", "5 d 3 h". */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${two(whole % 60)} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} m`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

/** A short duration: "3.1 ms", "2.05 s", else as `duration`. */
export function precisely(ms) {
  if (ms < 1000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  return ms < 60_000 ? `${(ms / 1000).toFixed(2)} s` : duration(ms / 1000);
}

/** Bytes: "512 KiB", "41.2 MiB". */
export function bytes(count) {
  if (!isNumber(count)) return "";
  let [size, unit] = [count / 1024, 0];
  while (size >= 1000 && unit < 3) [size, unit] = [size / 1024, unit + 1];
  return `${size < 100 && unit > 0 ? size.toFixed(1) : Math.round(size)} ${["KiB", "MiB", "GiB", "TiB"][unit]}`;
}

/** Events in a second: "0", "0.5", "20", "1.2k". */
export function rate(perSecond) {
  if (perSecond >= 1000) return `${(perSecond / 1000).toFixed(perSecond >= 10_000 ? 0 : 1)}k`;
  return perSecond > 0 && perSecond < 10 ? perSecond.toFixed(1) : `${Math.round(perSecond)}`;
}

/** A share of one CPU. */
export const percent = (share) => `${Math.round(share * 100)} %`;

/** A time of the day, with its date where that is not today. */
export function clock(unixSeconds) {
  const then = new Date(unixSeconds * 1000);
  const time = then.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  return then.toDateString() === new Date().toDateString() ? time : `${then.toISOString().slice(0, 10)} ${time}`;
}

/** A run's id, short enough for a table and long enough to tell runs apart. */
export const shortId = (id) => id.replace(/^run_/, "").slice(0, 10);

export const firstLine = (text) => (text ?? "").split("\n", 1)[0].slice(0, 300);

/** A log as a browser shows it: without the escape sequences that colour a terminal. */
export const plain = (text) => text.replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, "");

/** A name that somebody else chose, with nothing in it that is not seen or turns the rest around. */
export const visible = (name) => name.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (each) => `\\u{${each.codePointAt(0).toString(16)}}`);

const isNumber = (value) => typeof value === "number";
const two = (number) => String(number).padStart(2, "0");
