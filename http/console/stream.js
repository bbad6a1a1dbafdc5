// A stream of server-sent events that comes back by itself, after what it has seen.
//
// An EventSource repeats a connection that broke off, but gives up at the first answer that is no stream, such as the
// 503 of a server that is just starting. This one goes on, until it is closed. While nobody looks at the page it rests:
// a browser gives all pages of a server six connections together.

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
const REST_AFTER_MS = 15_000;

export class Stream {
  /**
   * `path(after)`: where it is, after the event with this id (null: from where the server begins).
   * `onmessage(data)`: one event, parsed. `onstate(state)`: "open", "broken", or "refused" where the server answers,
   * but with no stream; then nothing comes until it does.
   */
  constructor(path, { after = null, onmessage, onstate = () => {} }) {
    this.after = after;
    this.path = path;
    this.onmessage = onmessage;
    this.onstate = onstate;
    this.pause = FIRST_PAUSE_MS;
    this.closed = false;
    this.watch = () => this.#rest();
    document.addEventListener("visibilitychange", this.watch);
    this.#connect();
  }

  close() {
    this.closed = true;
    document.removeEventListener("visibilitychange", this.watch);
    this.#drop();
  }

  #connect() {
    this.#drop();
    const source = new EventSource(this.path(this.after));
    this.source = source;
    source.onopen = () => {
      this.pause = FIRST_PAUSE_MS;
      this.onstate("open");
    };
    source.onmessage = (message) => {
      this.after = message.lastEventId || this.after;
      this.onmessage(JSON.parse(message.data));
    };
    source.onerror = () => {
      if (this.closed || this.source !== source) return;
      const refused = source.readyState === EventSource.CLOSED;
      if (refused) this.#again();
      this.onstate(refused ? "refused" : "broken");
    };
  }

  #again() {
    this.#drop();
    this.timer = setTimeout(() => this.#connect(), this.pause);
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE_MS);
  }

  #drop() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  #rest() {
    clearTimeout(this.resting);
    if (document.hidden) this.resting = setTimeout(() => this.#drop(), REST_AFTER_MS);
    else if (!this.source && !this.closed) this.#connect();
  }
}
