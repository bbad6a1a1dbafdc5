// The page: who is logged in, which runs are shown, which one is open. Everything else is in the modules beside this.

import { ApiError, ask, pathOf, whoAmI } from "./api.js";
import { chosen, sums } from "./choosing.js";
import { confirmDialog, containmentDialog, missingOf, startDialog, stopManyDialog } from "./dialogs.js";
import { byId, el, icon, setText } from "./dom.js";
import { offerThemes, tell } from "./page.js";
import { RunView } from "./run_view.js";
import { Runs } from "./runs.js";
import { leave, loggedIn, offerLeave } from "./session.js";
import { Table } from "./table.js";
import { bytes, percent, rate, shortId } from "./words.js";

const LINKS = { open: "live", broken: "connecting again …", refused: "the server does not answer; trying again …" };

class Console {
  constructor(who) {
    this.mayAct = who.role !== "read";
    this.seesAll = who.role !== "run";
    this.view = "live";
    this.opened = null;
    this.dirty = false;
    this.table = new Table(byId("grid"), {
      onopen: (runId) => this.#go(runId),
      onorder: () => this.#changed(),
      onend: () => this.view !== "live" && !this.runs.complete && this.runs.older(),
    });
    this.runs = new Runs({
      onchange: () => this.#changed(),
      onstate: (state) => this.#linkIs(state),
      onproblem: (error) => error.status === 401 && leave(),
    });
  }

  open() {
    for (const id of ["bar", "house"]) byId(id).hidden = false;
    byId("start").hidden = !this.mayAct;
    byId("start").addEventListener("click", () => this.#start());
    byId("stop-many").addEventListener("click", () => this.#stopMany());
    byId("filter").addEventListener("input", () => this.#changed());
    byId("containment").addEventListener("click", () => containmentDialog(this.report));
    for (const button of document.querySelectorAll("[data-view]")) {
      button.addEventListener("click", () => this.#show(button.dataset.view));
    }
    addEventListener("keydown", (event) => this.#key(event));
    addEventListener("hashchange", () => this.#openWanted());
    this.runs.open();
    setInterval(() => document.hidden || this.#changed(), 1000);
    this.#openWanted();
    this.#readReport();
    byId("grid").focus({ preventScroll: true });
  }

  // ── the list ──

  #changed() {
    if (this.dirty) return;
    this.dirty = true;
    requestAnimationFrame(() => {
      this.dirty = false;
      this.#draw();
    });
  }

  #draw() {
    const entries = [...this.runs.entries.values()];
    const shown = chosen(entries, this.view, byId("filter").value, this.table.order);
    this.table.show(shown);
    this.#showSums(sums(entries));
    this.#showEmpty(shown.length, entries.length);
    this.detail?.update();
  }

  #showSums(all) {
    byId("stop-many").hidden = !this.mayAct || this.view !== "live" || all.live === 0;
    setText(byId("live-count"), String(all.live));
    const told = [
      all.waiting ? `${all.waiting} ${all.waiting === 1 ? "needs" : "need"} approval` : null,
      all.queued ? `${all.queued} queued` : null,
      `CPU ${percent(all.cpu)}`,
      bytes(all.memory),
      `${rate(all.rate)} events/s`,
    ];
    setText(byId("sums"), all.live ? told.filter(Boolean).join(" · ") : "");
    document.title = all.waiting ? `(${all.waiting}) runward` : "runward";
  }

  #showEmpty(shown, known) {
    const empty = byId("empty");
    empty.hidden = shown > 0;
    if (shown) return;
    if (byId("filter").value) setText(empty, "No run matches the filter.");
    else if (this.view === "live") setText(empty, known ? "Nothing runs now." : "No runs yet.");
    else setText(empty, "No run has ended yet.");
  }

  #show(view) {
    this.view = view;
    for (const button of document.querySelectorAll("[data-view]")) {
      button.setAttribute("aria-pressed", String(button.dataset.view === view));
    }
    byId("grid").scrollTop = 0;
    this.#changed();
  }

  #linkIs(state) {
    const link = byId("link");
    link.dataset.state = state;
    setText(link, LINKS[state]);
    if (state === "refused") whoAmI().then((who) => who.role === null && leave(), () => {});
    if (state === "open" && !this.report) this.#readReport();
  }

  // ── one run ──

  #go(runId) {
    if (runId === this.opened) byId("detail").querySelector("h2")?.focus();
    else location.hash = runId;
  }

  async #openWanted() {
    const runId = location.hash.slice(1);
    if (runId === (this.opened ?? "")) return;
    this.#closeDetail();
    if (!runId.startsWith("run_")) return;
    this.opened = runId;
    try {
      const entry = await this.runs.find(runId);
      if (this.opened === runId) this.#openDetail(entry);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      tell(error.message);
      this.#leaveRun();
    }
  }

  #openDetail(entry) {
    this.detail = new RunView(byId("detail"), entry, {
      mayAct: this.mayAct,
      tell,
      onclose: () => this.#leaveRun(),
      onkill: (run) => this.#kill(run),
      onforget: (run) => this.#forget(run),
      onnews: () => this.runs.refresh(entry.run.run_id).catch((error) => error.status === 404 && this.#isGone(error)),
    });
    byId("house").classList.add("split");
    this.table.mark(entry.run.run_id);
    this.detail.title.focus({ preventScroll: true });
  }

  #isGone(error) {
    tell(error.message);
    this.#leaveRun();
  }

  #leaveRun() {
    history.replaceState(null, "", location.pathname);
    this.#closeDetail();
    byId("grid").focus({ preventScroll: true });
  }

  #closeDetail() {
    this.detail?.close();
    this.detail = this.opened = null;
    byId("detail").hidden = true;
    byId("detail").replaceChildren();
    byId("house").classList.remove("split");
    this.table.mark(null);
  }

  async #start() {
    try {
      const runId = await startDialog();
      if (runId) this.#go(runId);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      tell(error.message);
    }
  }

  async #stopMany() {
    const count = await stopManyDialog([...this.runs.entries.values()].filter((entry) => !entry.over));
    if (count !== null) tell(`${count} ${count === 1 ? "run is" : "runs are"} stopping`);
  }

  #kill(run) {
    const title = `Kill ${run.agent} ${shortId(run.run_id)}?`;
    const text = "It gets no chance to end by itself: everything that it ever started is killed at once.";
    return confirmDialog(title, text, "Kill", () => ask("POST", pathOf(run.run_id, "kill"), { reason: "from the console" }));
  }

  async #forget(run) {
    const title = `Forget ${run.agent} ${shortId(run.run_id)}?`;
    const text = "Its record, its events and its log are removed from the server for good.";
    if (await confirmDialog(title, text, "Forget", () => ask("DELETE", pathOf(run.run_id)))) {
      this.runs.forget(run.run_id);
      this.#leaveRun();
    }
  }

  // ── the rest ──

  #key(event) {
    const typing = event.target.closest("input, textarea, select, dialog");
    if (event.key === "Escape" && !event.target.closest("dialog")) {
      if (event.target === byId("filter")) byId("grid").focus();
      else if (typing) event.target.blur();
      else if (this.opened) this.#leaveRun();
    } else if (!typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      if (event.key === "/") byId("filter").focus();
      else if (event.key === "n" && this.mayAct) this.#start();
      else return;
      event.preventDefault();
    }
  }

  async #readReport() {
    if (!this.seesAll) return;
    try {
      this.report = (await ask("GET", "/health/detailed")).containment;
    } catch {
      return; // it is asked for again when the stream opens
    }
    const missing = missingOf(this.report);
    const badge = byId("containment");
    badge.replaceChildren(icon("i-shield"), el("b", {}, this.report.kill), el("span", {}, missing ? `${missing} missing` : "all held"));
    badge.classList.toggle("bad", missing > 0);
    badge.setAttribute("aria-label", `Containment ${this.report.kill}, ${missing ? `${missing} missing` : "all held"}`);
    badge.hidden = false;
  }
}

offerThemes(byId("theme"));
const who = await loggedIn();
offerLeave(byId("leave"), who);
new Console(who).open();
