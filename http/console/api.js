// Talks to this server's public API, as the session's cookie allows. Knows no page and no run.

/** An answer that is an error. `message` says what to do about it; `status` 0: the server could not be reached. */
export class ApiError extends Error {
  constructor(status, message, code) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** The JSON of an answer; null for an empty one. Throws ApiError. */
export async function ask(method, path, body, signal) {
  const response = await send(method, path, body, signal);
  return response.status === 204 ? null : response.json();
}

/** The text of an answer. Throws ApiError. */
export async function text(path, signal) {
  return (await send("GET", path, undefined, signal)).text();
}

/** Who the session is of: {name, role}, both null where there is none. */
export const whoAmI = () => ask("GET", "/v1/session");

export const pathOf = (runId, what = "") => `/v1/runs/${encodeURIComponent(runId)}${what && `/${what}`}`;

async function send(method, path, body, signal) {
  const sent = body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  let response;
  try {
    response = await fetch(path, { method, signal, cache: "no-store", ...sent });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The server can't be reached.");
  }
  if (response.ok) return response;
  const { error } = await response.json().catch(() => ({}));
  throw new ApiError(response.status, error?.message ?? `The server answered ${response.status}.`, error?.code);
}
