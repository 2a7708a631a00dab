// Connects the parts of the page: text, streamed translation, inspector.

import { byId } from "./element.js";
import { Inspector } from "./inspector.js";
import { AUTO, LanguageChoice } from "./languages.js";
import { detect, loadLanguages, loadSettings, translated } from "./service.js";
import { TranslationView } from "./translation.js";

const text = byId("text");
const status = byId("status");
const problem = byId("problem");
const view = new TranslationView(byId("translation"), (index) => inspector.choose(index));
const inspector = new Inspector((index) => view.mark(index));
let choice = null;
let running = null;

async function start() {
  const [languages, settings] = await Promise.all([loadLanguages(), loadSettings()]);
  const parts = { source: byId("source"), target: byId("target"), swap: byId("swap") };
  choice = new LanguageChoice(parts, languages, takeTranslation);
  document.querySelector(".key").hidden = !settings.keyRequired;
  const count = () => {
    byId("count").textContent = text.value && `${text.value.length.toLocaleString("en")} of ${settings.charLimit.toLocaleString("en")} characters`;
  };
  text.addEventListener("input", count);
  count();
}

// After a swap, the translation becomes the text.
function takeTranslation() {
  if (view.text) text.value = view.text;
  clear();
}

function clear() {
  running?.abort();
  view.clear();
  inspector.hide();
  problem.hidden = true;
  byId("copy").hidden = true;
  status.textContent = "";
}

async function run(event) {
  event.preventDefault();
  clear();
  if (!text.value.trim() || !choice) return;
  const mine = (running = new AbortController());
  document.body.classList.add("working");
  status.textContent = "Translating";
  try {
    await translateText(mine.signal);
  } catch (error) {
    if (error.name !== "AbortError") show(error);
  } finally {
    if (running === mine) document.body.classList.remove("working");
  }
}

async function translateText(signal) {
  const started = performance.now();
  const key = byId("key").value ? { api_key: byId("key").value } : {};
  const languages = { ...(await resolved(key, signal)), ...key };
  const parameters = { q: text.value, ...languages, details: true, alignment: true };
  for await (const part of translated(parameters, signal)) {
    for (const sentence of part.details) sentence.languages = languages;
    view.append(part);
    status.textContent = `${counted(view.sentences.length)} so far`;
  }
  status.textContent = `${counted(view.sentences.length)} in ${duration(performance.now() - started)}${noted(languages)}`;
  byId("copy").hidden = false;
  inspector.open(view.sentences);
}

async function resolved(key, signal) {
  const chosen = choice.chosen;
  if (chosen.source !== AUTO) return chosen;
  const [best] = await detect({ q: text.value, ...key }, signal);
  return best ? { ...chosen, source: best.language } : chosen;
}

const counted = (count) => `${count} ${count === 1 ? "sentence" : "sentences"}`;
const duration = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);
const noted = ({ source }) => (choice.chosen.source === AUTO ? `, from ${choice.nameOf(source)}` : "");

function show(error) {
  problem.textContent = error.message;
  problem.hidden = false;
  status.textContent = "";
}

async function copy() {
  try {
    await navigator.clipboard.writeText(view.text);
    status.textContent = "Copied";
  } catch {
    status.textContent = "The browser does not allow copying here";
  }
}

byId("form").addEventListener("submit", run);
byId("copy").addEventListener("click", copy);
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("form").requestSubmit();
});
start().catch(show);
