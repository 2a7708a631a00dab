// Requests to the server; a failure is an Error whose message is a sentence.

import { knows, locale, say } from "./interface.js";

export class ServerError extends Error {
  constructor(message, { code = "", canRetry = false } = {}) {
    super(message);
    this.code = code;
    this.canRetry = canRetry;
  }
}

export const loadLanguages = () => get("languages");
export const loadSettings = () => get("frontend/settings");
export const loadModels = () => get("models");
export const detect = (parameters, signal) => post("detect", parameters, signal).then((r) => r.json());
export const inspect = (parameters, signal) => post("attention", parameters, signal).then((r) => r.json());
export const score = (parameters, signal) => post("score", parameters, signal).then((r) => r.json());
export const compare = (parameters, signal) => post("compare", parameters, signal).then((r) => r.json());
export const jobOf = (id) => get(`jobs/${encodeURIComponent(id)}`);
export const cancelJob = (id) => request(`jobs/${encodeURIComponent(id)}`, { method: "DELETE" });

// The reply, with `times` in milliseconds by stage.
export async function translate(parameters, signal) {
  const response = await post("translate", parameters, signal);
  return { ...(await response.json()), times: stageTimes(response.headers.get("Server-Timing")) };
}

// Yields parts of the translation as they are finished.
export async function* translated(parameters, signal) {
  const response = await post("translate", { ...parameters, stream: true }, signal);
  for await (const event of eventsOf(response.body)) {
    if (event.name === "error") throw new ServerError(explained(event.content.error, event.content.code), { ...event.content, canRetry: true });
    if (event.name === "done") return;
    yield event.content;
  }
  throw new ServerError(say("problem.broken"), { canRetry: true });
}

export async function sendFile(file, fields) {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) body.append(name, value);
  body.append("async", "true");
  body.append("file", file);
  return (await request("translate_file", { method: "POST", body })).json();
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
    throw new ServerError(say("problem.connection"), { code: "connection", canRetry: true });
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

const RETRIED = new Set([408, 429, 500, 502, 503, 504]);

async function problemOf(response) {
  const canRetry = RETRIED.has(response.status);
  const wait = Number(response.headers.get("Retry-After"));
  try {
    const { error, code } = await response.json();
    return new ServerError(explained(error, code, wait), { code, canRetry: canRetry && code !== "quota_exceeded" });
  } catch {
    return new ServerError(say("problem.status", { status: String(response.status) }), { canRetry });
  }
}

// The server's own sentence in English; where the page knows the problem, its own. `wait` in seconds, if it is known.
function explained(error, code, wait) {
  if (code === "overloaded" && wait) return say("problem.overloaded", { time: say("seconds", { count: wait }) });
  const own = `problem.${code}`;
  return locale !== "en" && knows(own) && code !== "overloaded" ? say(own) : sentence(error);
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
      const { value, done } = await read(reader);
      if (done) return;
      const events = (unread + value).split("\n\n");
      unread = events.pop();
      yield* events.map(eventOf);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

async function read(reader) {
  try {
    return await reader.read();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError(say("problem.connection"), { code: "connection", canRetry: true });
  }
}

function eventOf(text) {
  const lines = text.split("\n").map((line) => line.split(/: (.*)/s));
  const fields = Object.fromEntries(lines.map(([name, value]) => [name, value ?? ""]));
  return { name: fields.event, content: JSON.parse(fields.data) };
}
