// The agent behind the page: one request a second for all that is drawn, others when somebody asks for details.

const PERIOD = 1000;
const TIMEOUT = 15000;
const TOKEN = "smoc-token";

/** What the agent refused, or why there is no answer. */
export class AgentError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Where the token of `token_file` is kept: in this tab. */
export const token = {
  get: () => sessionStorage.getItem(TOKEN) ?? "",
  set: (text) => sessionStorage.setItem(TOKEN, text.trim()),
};

async function request(path, options = {}) {
  const headers = { ...options.headers };
  if (token.get()) headers.authorization = `Bearer ${token.get()}`;
  const signal = AbortSignal.timeout(TIMEOUT);
  const answer = await fetch(`api/${path}`, { ...options, headers, signal, credentials: "omit" });
  if (answer.ok) return answer.json();
  const text = await answer.text();
  let message = text.trim();
  try {
    message = JSON.parse(text).error ?? message;
  } catch {
    // It is text already.
  }
  throw new AgentError(answer.status, message);
}

/** Asks for something; parameters may be lists. */
export function ask(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) if (one !== undefined && one !== null) query.append(name, one);
  }
  return request(query.size ? `${path}?${query}` : path);
}

/** Orders something, with the token of this start of the server. */
export function order(session, path, body) {
  const headers = { "content-type": "application/json", "x-smoc-order": session.order };
  return request(path, { method: "POST", headers, body: JSON.stringify(body) });
}

/** Calls `read` a second after it has ended, for as long as the page is seen. */
export function poll(read) {
  let timer;
  const run = async () => {
    clearTimeout(timer);
    if (!document.hidden) await read();
    clearTimeout(timer);
    timer = setTimeout(run, PERIOD);
  };
  document.addEventListener("visibilitychange", () => document.hidden || run());
  run();
}
