// All runs that the page knows: the newest word of each, and what they used over the last minutes. Knows no page.
//
// What changes comes by the stream of changes; what live runs use is told nowhere, so it is asked for, no faster than
// people can read it and never while nobody looks.

import { ApiError, ask, pathOf } from "./api.js";
import { Stream } from "./stream.js";
import { cause, isOver, stateWord } from "./words.js";

const PAGE = 200;
const SAMPLES = 60;
const SAMPLE_MS = 900; // closer ones would tell more of their own error than of the run
const ASK_EVERY_MS = 2000;
const ASKING_SHARE = 5; // between two rounds of questions pass at least so many times what one took
const MOST = 5000; // runs that are kept here; then the oldest ended ones go
const LIVE = ["running", "queued", "stopping", "waiting_for_approval"];

/** One run: `run` as the API told it last; `cpu` (share of one), `rate` (events/s), null while unknown. */
class Entry {
  constructor(run) {
    this.run = run;
    this.cpu = null;
    this.rate = null;
    this.memory = [];
    this.cpus = [];
    this.samples = 0;
    this.sampledAt = -Infinity;
    this.words = "";
  }

  get over() {
    return isOver(this.run.status);
  }

  /** Take the run's newer word; `at` (ms) is when it came. */
  update(run, at) {
    if (isOver(this.run.status) && !isOver(run.status)) return; // an older word that came later
    this.run = run;
    this.words = [run.agent, run.run_id, stateWord(run.status), run.status, run.reason, run.session_id, cause(run)]
      .join(" ")
      .toLowerCase();
    if (isOver(run.status)) this.cpu = this.rate = null;
    else this.#sample(run, at);
  }

  #sample(run, at) {
    if (at - this.sampledAt < SAMPLE_MS) return;
    const seconds = (at - this.sampledAt) / 1000;
    if (Number.isFinite(seconds)) this.rate = Math.max(0, (run.last_seq - this.seq) / seconds);
    this.seq = run.last_seq;
    if (run.process) {
      if (Number.isFinite(seconds) && this.cpuS !== undefined) this.cpu = Math.max(0, (run.process.cpu_s - this.cpuS) / seconds);
      this.cpuS = run.process.cpu_s;
      push(this.memory, run.process.rss_bytes);
      if (this.cpu !== null) push(this.cpus, this.cpu);
    }
    this.samples += 1;
    this.sampledAt = at;
  }
}

/** The runs. `onchange(kind)`: "list" when runs came, went or changed state, "numbers" when only their use did. */
export class Runs {
  constructor({ onchange, onstate, onproblem }) {
    this.entries = new Map();
    this.onchange = onchange;
    this.onstate = onstate;
    this.onproblem = onproblem;
    this.trimmed = false;
    this.before = null; // cursor of the next older page; null: there is none, or it is not known yet
    this.loadingOlder = false;
  }

  /** Begin to follow. */
  open() {
    this.stream = new Stream((after) => `/v1/runs?follow=1${after === null ? "" : `&after=${after}`}`, {
      onmessage: (run) => this.#take([run], "list"),
      onstate: (state) => {
        this.onstate(state);
        if (state === "open") this.#guarded(() => this.#load());
      },
    });
    this.#askAgain(ASK_EVERY_MS);
  }

  close() {
    clearTimeout(this.timer);
    this.stream?.close();
    this.entries.clear();
  }

  get(runId) {
    return this.entries.get(runId);
  }

  /** The entry of a run, asked for where it is not known. Throws ApiError. */
  async find(runId) {
    if (!this.entries.has(runId)) this.#take([await ask("GET", pathOf(runId))], "list");
    return this.entries.get(runId);
  }

  /** The run as it is now. Throws ApiError; a run that is gone is forgotten. */
  async refresh(runId) {
    try {
      this.#take([await ask("GET", pathOf(runId))], "list");
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) this.forget(runId);
      throw error;
    }
  }

  forget(runId) {
    if (this.entries.delete(runId)) this.onchange("list");
  }

  /** One more page of what is older, if there is one. */
  async older() {
    if (this.before === null || this.loadingOlder || this.entries.size >= MOST) return;
    this.loadingOlder = true;
    await this.#guarded(async () => {
      const page = await ask("GET", `/v1/runs?limit=${PAGE}&before=${encodeURIComponent(this.before)}`);
      this.before = page.next;
      this.#take(page.data, "list");
    });
    this.loadingOlder = false;
  }

  /** Whether all runs that there are, are here. */
  get complete() {
    return this.before === null;
  }

  /** The newest runs and all live ones; then those that went on while nobody listened are asked for one by one. */
  async #load() {
    const page = await ask("GET", `/v1/runs?limit=${PAGE}`);
    if (this.before === null && !this.trimmed) this.before = page.next;
    const seen = new Set(this.#take(page.data, "list"));
    if (page.has_more) for (const status of LIVE) (await this.#every(status, "list")).forEach((id) => seen.add(id));
    const unheard = [...this.entries.values()].filter((entry) => !entry.over && !seen.has(entry.run.run_id));
    for (const { run } of unheard) await this.refresh(run.run_id).catch(unlessGone);
  }

  async #every(status, kind) {
    const seen = [];
    let before = "";
    do {
      const page = await ask("GET", `/v1/runs?status=${status}&limit=${PAGE}${before}`);
      seen.push(...this.#take(page.data, kind));
      before = page.next === null ? null : `&before=${encodeURIComponent(page.next)}`;
    } while (before !== null);
    return seen;
  }

  #take(runs, kind) {
    const at = performance.now();
    for (const run of runs) {
      let entry = this.entries.get(run.run_id);
      if (!entry) this.entries.set(run.run_id, (entry = new Entry(run)));
      entry.update(run, at);
    }
    if (this.entries.size > 1.2 * MOST) this.#trim();
    if (runs.length) this.onchange(kind);
    return runs.map((run) => run.run_id);
  }

  #trim() {
    const over = [...this.entries.values()].filter((entry) => entry.over);
    over.sort((a, b) => a.run.created_at - b.run.created_at);
    for (const { run } of over.slice(0, this.entries.size - MOST)) this.entries.delete(run.run_id);
    this.trimmed = true;
    this.before = null; // what is older than the gap is not asked for
  }

  #askAgain(afterMs) {
    this.timer = setTimeout(async () => {
      const began = performance.now();
      if (!document.hidden) await this.#guarded(() => this.#measure());
      this.#askAgain(Math.max(ASK_EVERY_MS, ASKING_SHARE * (performance.now() - began)));
    }, afterMs);
  }

  async #measure() {
    const live = new Set([...this.entries.values()].map((entry) => entry.run.status));
    for (const status of LIVE) if (status !== "queued" && live.has(status)) await this.#every(status, "numbers");
  }

  /** What is asked for in the background may fail: the stream's state tells that, and it is asked for again. */
  async #guarded(work) {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.onproblem(error);
    }
  }
}

function unlessGone(error) {
  if (!(error instanceof ApiError && error.status === 404)) throw error;
}

function push(numbers, number) {
  numbers.push(number);
  if (numbers.length > SAMPLES) numbers.shift();
}
