// Requests to the server; a failure is an Error whose message is a sentence.

export class ServerError extends Error {}

export const loadLanguages = () => get("languages");
export const loadSettings = () => get("frontend/settings");
export const detect = (parameters, signal) => post("detect", parameters, signal).then((r) => r.json());
export const inspect = (parameters, signal) => post("attention", parameters, signal).then((r) => r.json());

// The reply, with `times` in milliseconds by stage.
export async function translate(parameters, signal) {
  const response = await post("translate", parameters, signal);
  return { ...(await response.json()), times: stageTimes(response.headers.get("Server-Timing")) };
}

// Yields parts of the translation as they are finished.
export async function* translated(parameters, signal) {
  const response = await post("translate", { ...parameters, stream: true }, signal);
  for await (const event of eventsOf(response.body)) {
    if (event.name === "error") throw new ServerError(sentence(event.content.error));
    if (event.name === "done") return;
    yield event.content;
  }
  throw new ServerError("The connection broke before the translation was finished.");
}

export function stageTimes(header) {
  return (header ?? "").split(",").flatMap((entry) => {
    const found = /^\s*(\w+);dur=([\d.]+)/.exec(entry);
    return found ? [{ stage: found[1], milliseconds: Number(found[2]) }] : [];
  });
}

async function get(path) {
  return (await request(path)).json();
}

function post(path, parameters, signal) {
  const headers = { "Content-Type": "application/json", Accept: "application/json, text/event-stream" };
  return request(path, { method: "POST", headers, body: JSON.stringify(parameters), signal });
}

async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError("The server cannot be reached. Is it still running?");
  }
  if (!response.ok) throw new ServerError(await problemOf(response));
  return response;
}

async function problemOf(response) {
  try {
    return sentence((await response.json()).error);
  } catch {
    return `The server answered with status ${response.status}.`;
  }
}

// The server's messages begin in lower case and have no full stop.
function sentence(text) {
  const said = text.replace(/^Invalid request: /, "").trim();
  return said.charAt(0).toUpperCase() + said.slice(1) + (/[.!?]$/.test(said) ? "" : ".");
}

async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let unread = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const events = (unread + value).split("\n\n");
      unread = events.pop();
      yield* events.map(eventOf);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function eventOf(text) {
  const lines = text.split("\n").map((line) => line.split(/: (.*)/s));
  const fields = Object.fromEntries(lines.map(([name, value]) => [name, value ?? ""]));
  return { name: fields.event, content: JSON.parse(fields.data) };
}
