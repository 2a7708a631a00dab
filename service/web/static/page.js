// Connects the parts of the page: text, streamed translation, choices, inspector, drawers, files.

import { Choices } from "./choices.js";
import { showCount } from "./count.js";
import { Drawers } from "./drawers.js";
import { byId, element } from "./element.js";
import { showExamples } from "./examples.js";
import { Files } from "./files.js";
import { Glossary } from "./glossary.js";
import { History } from "./history.js";
import { Inspector } from "./inspector.js";
import { languageName, loadInterface, locale, percent, say } from "./interface.js";
import { AUTO, LanguageChoice } from "./languages.js";
import { Links } from "./links.js";
import { keep, recall } from "./memory.js";
import { Options } from "./options.js";
import { detect, loadLanguages, loadSettings, translate, translated } from "./service.js";
import { addressOf, shared } from "./share.js";
import { SourcePane } from "./source.js";
import { TranslationView } from "./translation.js";

const PAUSE_MS = 100; // after the last key; a pause between two keys is mostly shorter
const SURE = 90;
const MOST_ANNOUNCED = 500;
const KEPT_TEXT = 20_000;

const text = byId("text");
const status = byId("status");
const links = new Links();
const source = new SourcePane(text, byId("mirror"), links);
const view = new TranslationView(byId("translation"), links, (word, place) => openChoices(word, place));
const inspector = new Inspector({ onChoose: (index) => links.pin(index), requestOf: requestFor });
const choices = new Choices({
  options: requestFor, onChoose: (index, chosen) => choose(index, chosen), onClose: () => links.hold(null),
  onWhy: (index, contrast) => {
    choices.close();
    inspector.reveal("causes", index, { contrast });
  },
});
const glossary = new Glossary(byId("glossary"), () => run());
const history = new History(byId("history"), (entry) => restore(entry));
let options = null;
let choice = null;
let charLimit = Infinity;
let running = null;
let timer = null;

async function start() {
  await loadInterface();
  options = new Options(byId("options"), () => run());
  new Drawers([...document.querySelectorAll(".tool[aria-controls]")], openDrawer);
  await loadChoice();
}

async function loadChoice() {
  const [languages, settings] = await Promise.all([loadLanguages(), loadSettings()]);
  charLimit = settings.charLimit;
  const parts = { source: byId("source"), target: byId("target"), swap: byId("swap") };
  choice = new LanguageChoice(parts, languages, { onChange: languagesChanged, onSwap: takeTranslation });
  document.querySelector(".key").hidden = !settings.keyRequired;
  new Files({ formats: settings.supportedFilesFormat, fields: (file) => ({ ...choice.chosen, ...options.parametersOf(file), ...key() }) });
  begin();
}

function begin() {
  const given = shared();
  if (given.text !== null) choice.choose(given, { isByPage: true });
  setText(given.text ?? (text.value || recall("text", "")));
}

function isShown({ text: given, ...languages }) {
  const named = Object.entries(languages).filter(([, code]) => code !== null);
  return given === text.value && named.every(([side, code]) => code === choice.chosen[side]);
}

function setText(value) {
  text.value = value;
  textChanged();
  run();
}

// typing

function textChanged() {
  source.plain();
  keep("text", text.value.length > KEPT_TEXT ? null : text.value || null);
  showCount(text.value, charLimit);
  showExamples(text.value, choice, setText);
  choices.close();
  clearTimeout(timer);
}

function typed() {
  textChanged();
  running?.abort();
  view.isStale = Boolean(view.text);
  if (!text.value.trim()) clear();
  else if (options?.isLive) timer = setTimeout(run, PAUSE_MS);
}

function languagesChanged() {
  showExamples(text.value, choice, setText);
  if (!byId("glossary").hidden) glossary.show(choice.chosen.target);
  run();
}

// After a swap, the translation becomes the text, but not a part of it or that of another text.
function takeTranslation() {
  setText(view.source === text.value ? view.text : text.value);
}

function clear() {
  running?.abort();
  view.clear();
  inspector.hide();
  links.pin(null);
  choice?.noteDetected(null);
  tell(null);
  showProblem(null);
  byId("copy").hidden = true;
  status.textContent = "";
}

// translating

async function run() {
  clearTimeout(timer);
  running?.abort();
  if (!text.value.trim()) return clear();
  if (!choice || Array.from(text.value).length > charLimit) return;
  const mine = (running = new AbortController());
  setWorking(true);
  try {
    await translateText(text.value, mine.signal);
  } catch (error) {
    if (error.name !== "AbortError") await failed(error, mine.signal);
  } finally {
    if (running === mine) setWorking(false);
  }
}

function setWorking(isWorking) {
  document.body.classList.toggle("working", isWorking);
  const hadFocus = document.activeElement === byId(isWorking ? "translate" : "stop");
  byId("translate").hidden = isWorking;
  byId("stop").hidden = !isWorking;
  if (hadFocus) byId(isWorking ? "stop" : "translate").focus();
}

async function translateText(asked, signal) {
  const started = performance.now();
  const languages = { ...choice.chosen };
  const parameters = { q: asked, ...languages, ...key(), ...extras(languages.target), details: true, alignment: true };
  let isFirst = true;
  for await (const part of translated(parameters, signal)) {
    if (signal.aborted) return;
    if (isFirst) beginResult(languages, part);
    isFirst = false;
    for (const sentence of part.details) sentence.languages = languages;
    view.append(part);
    byId("copy").hidden = false;
    status.textContent = say("so-far", { count: view.sentences.length });
  }
  if (signal.aborted) return;
  finish(asked, languages, performance.now() - started);
  await checkLanguage(asked, languages, signal);
}

// The earlier result stays until the first part of the new one is there.
function beginResult(languages, part) {
  if (part.detectedLanguage) languages.source = part.detectedLanguage.language;
  choice.noteDetected(part.detectedLanguage ? languages.source : null);
  text.lang = languages.source;
  byId("translation").lang = languages.target;
  view.clear();
  showProblem(null);
  tell(null);
}

function finish(asked, languages, milliseconds) {
  const isCopied = languages.source === languages.target;
  status.textContent = isCopied ? "" : say("done", { count: view.sentences.length, time: duration(milliseconds) });
  view.source = asked;
  source.show(asked, view.sentences);
  inspector.open(view.sentences);
  byId("announcer").textContent = say("announced", { text: view.text.slice(0, MOST_ANNOUNCED) });
  if (!isCopied) history.add({ text: asked, translation: view.text, ...languages });
}

// Says so where the text is not in the language that it was translated from.
async function checkLanguage(asked, { source: from, target }, signal) {
  if (from === target) return offerTarget(from);
  if (choice.chosen.source === AUTO) return;
  const [best] = await detect({ q: asked, ...key() }, signal).catch(() => []); // a hint: the translation is there without
  if (signal.aborted || !best || best.language === from || best.confidence < SURE) return;
  if (best.language === target) return offer(best.language, { source: target, target: from });
  if (choice.sources.includes(best.language)) offer(best.language, { source: AUTO, target });
}

function offerTarget(language) {
  const [other] = choice.targetsOf(language);
  if (!other) return tell(say("already", { language: languageName(language) }));
  if (!choice.isTargetChosen) return choice.choose({ source: AUTO, target: other }, { isByPage: true });
  offer(language, { source: AUTO, target: other });
}

function offer(language, { source: from, target }) {
  const said = say("looks-like", { language: languageName(language) });
  const name = target === choice.chosen.target ? say("offer.source", { language: languageName(language) }) : say("offer.target", { language: languageName(target) });
  tell(said, element("button", { type: "button", class: "quiet", click: () => choice.choose({ source: from, target }) }, name));
}

async function failed(error, signal) {
  setWorking(false);
  if (error.code === "unsupported_language" && choice.chosen.source === AUTO && (await isNamed(signal))) return;
  showProblem(error);
}

// Whether it could be said which language the text is in instead.
async function isNamed(signal) {
  const [best] = await detect({ q: text.value, ...key() }, signal).catch(() => []);
  if (!best || choice.sources.includes(best.language)) return false;
  const list = new Intl.ListFormat(locale, { type: "conjunction" }).format(choice.sources.map(languageName));
  view.clear();
  inspector.hide();
  byId("copy").hidden = true;
  status.textContent = "";
  tell(say("not-served", { language: languageName(best.language), share: percent(best.confidence / 100), list }));
  return true;
}

function tell(said, ...others) {
  const notice = byId("notice");
  notice.hidden = !said;
  notice.replaceChildren(...(said ? [element("span", {}, said), ...others] : []));
  if (said) byId("announcer").textContent = notice.textContent;
}

function showProblem(error) {
  const problem = byId("problem");
  problem.hidden = !error;
  if (!error) return problem.replaceChildren();
  const again = element("button", { type: "button", class: "quiet", click: retry }, say("again"));
  problem.replaceChildren(element("span", {}, error.message), ...(error.canRetry ? [again] : []));
  problem.dataset.code = error.code ?? "";
  status.textContent = "";
}

// Without the languages, nothing can be translated: they come first.
function retry() {
  if (choice) return run();
  showProblem(null);
  return loadChoice().catch(showProblem);
}

function stop() {
  if (!document.body.classList.contains("working")) return;
  running?.abort();
  setWorking(false);
  view.isStale = false;
  status.textContent = say("stopped");
  if (view.sentences.length) inspector.open(view.sentences);
}

const key = () => (byId("key").value ? { api_key: byId("key").value } : {});

function extras(target) {
  const entries = glossary.entries(target);
  return { ...options.parameters, ...(entries.length && { glossary: entries }) };
}

function duration(ms) {
  return ms < 1000 ? say("milliseconds", { count: Math.round(ms) }) : say("seconds", { count: Number((ms / 1000).toFixed(1)) });
}

// other translations of a sentence

function requestFor(sentence, more) {
  const { unwrap, ...extra } = extras(sentence.languages.target);
  return { q: sentence.source, ...sentence.languages, ...key(), ...extra, ...more };
}

function openChoices(anchor, place) {
  const sentence = view.sentences[place.index];
  inspector.choose(place.index);
  if (!sentence.source_tokens.length) return;
  choices.open(anchor, sentence, place.index, place.start);
  links.hold(place);
}

async function choose(index, chosen) {
  choices.close();
  const old = view.sentences[index];
  if (running.signal.aborted) running = new AbortController(); // the translation was stopped, this was not
  try {
    const more = { prefix: chosen, details: true, alignment: true };
    const { details } = await translate(requestFor(old, more), running.signal);
    if (view.sentences[index] !== old || details.length !== 1) return;
    view.replace(index, { ...details[0], languages: old.languages, source_span: old.source_span, isChosen: true });
    inspector.replace(view.sentences, index);
    view.focusSentence(index);
    if (view.source !== null) history.add({ text: view.source, translation: view.text, ...old.languages });
  } catch (error) {
    if (error.name !== "AbortError") showProblem(error);
  }
}

// the rest

function openDrawer(drawer) {
  if (drawer.id === "glossary") glossary.show(choice.chosen.target);
  if (drawer.id === "history") history.show();
}

function restore(entry) {
  choice.choose({ source: choice.chosen.source === AUTO ? AUTO : entry.source, target: entry.target }, { isByPage: true });
  setText(entry.text);
  text.focus();
}

async function copy(content, said) {
  try {
    await navigator.clipboard.writeText(content);
    status.textContent = byId("announcer").textContent = said;
  } catch {
    status.textContent = byId("announcer").textContent = say("copy.forbidden");
  }
}

byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  run();
});
byId("stop").addEventListener("click", stop);
byId("copy").addEventListener("click", () => copy(view.text, say("copied")));
byId("clear").addEventListener("click", () => {
  text.focus();
  text.select();
  document.execCommand("delete"); // an edit, and so with undo, which a new value is not
});
byId("share").addEventListener("click", () => {
  const address = addressOf({ ...choice.chosen, text: text.value });
  location.replace(address);
  copy(address, say("shared"));
});
byId("key").addEventListener("change", () => run());
text.addEventListener("input", typed);
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
});
addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (choices.isOpen) choices.close();
  else stop();
});
addEventListener("hashchange", () => {
  const given = shared();
  if (choice && given.text !== null && !isShown(given)) begin();
});
addEventListener("online", () => byId("problem").dataset.code === "connection" && !byId("problem").hidden && retry());
start().catch((error) => {
  document.body.classList.remove("loading");
  showProblem(error);
});
