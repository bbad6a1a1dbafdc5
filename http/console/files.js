// The files that a run keeps, each a link that saves it. Asked for when somebody looks, again by the button.

import { ApiError, ask, pathOf } from "./api.js";
import { el, setText } from "./dom.js";
import { bytes, clock, isOver, visible } from "./words.js";

const MOST = 1000; // that are shown: a page of ten thousand links is no list that anybody reads
const NOT_KEPT = "This run keeps no files: its agent is not declared with work_folder = “keep”.";

export class FilesPane {
  constructor(run) {
    this.run = run;
    this.again = el("button", { type: "button", onclick: () => this.show(this.run) }, "Look again");
    this.told = el("p", { class: "told", role: "status" });
    this.list = el("ul", { class: "files", "aria-label": "Files" });
    this.node = el("div", { class: "sheet" }, el("div", { class: "sheet-tools" }, this.again, this.told), this.list);
  }

  async show(run) {
    this.run = run;
    this.again.disabled = true;
    try {
      if (await this.#areKept()) this.#put(await ask("GET", pathOf(run.run_id, "files")));
      else this.#tell(NOT_KEPT);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#tell(error.message);
    }
    this.again.disabled = false;
  }

  /** The run's newer word: what it leaves is known once it is over. */
  update(run) {
    const ended = isOver(run.status) && !isOver(this.run.status);
    this.run = run;
    if (ended) this.show(run);
  }

  /** Whether its agent, where it still is declared, keeps any: to be told of none is an error in a browser's eyes. */
  async #areKept() {
    const { data } = await ask("GET", "/v1/agents");
    return data.find(({ name }) => name === this.run.agent)?.work_folder !== "discard";
  }

  #tell(text) {
    this.list.replaceChildren();
    setText(this.told, text);
  }

  #put({ data, complete }) {
    if (!data.length) return this.#tell(isOver(this.run.status) ? "It left no files." : "There are no files yet.");
    this.list.replaceChildren(...data.slice(0, MOST).map(line));
    setText(this.told, howMany(data.length, complete));
  }
}

function line({ path, href, size_bytes: size, modified_at: at }) {
  return el("li", {}, el("a", { href, download: true }, visible(path)), el("span", {}, size < 1024 ? `${size} B` : bytes(size)), el("time", {}, clock(at)));
}

function howMany(count, complete) {
  const files = count === 1 ? "1 file" : `${count} files`;
  if (count > MOST) return `The first ${MOST} of ${complete ? "" : "more than "}${files}: “runward files” has them all.`;
  return complete ? `${files}.` : `${files}, and some that are not listed.`;
}
