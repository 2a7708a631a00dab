// What else a word or sentence could be: a list beside it, of which one can be chosen.

import { byId, element } from "./element.js";
import { say } from "./interface.js";
import { translate } from "./service.js";
import { suggestionList } from "./suggestions.js";
import { checksWithoutPlace, checkText, reasonsAt } from "./translation.js";

const NUM_ALTERNATIVES = 4;
const GAP = 6;

export class Choices {
  #root = byId("choices");
  #frame = byId("sheets");
  #options;
  #onChoose;
  #onWhy;
  #onClose;
  #anchor = null;
  #running = null;

  constructor({ options, onChoose, onWhy, onClose }) {
    [this.#options, this.#onChoose, this.#onWhy, this.#onClose] = [options, onChoose, onWhy, onClose];
    document.addEventListener("pointerdown", ({ target }) => {
      if (!this.#root.hidden && !this.#root.contains(target) && !this.#anchor?.contains(target)) this.close();
    });
    this.#root.addEventListener("keydown", (event) => this.#move(event));
    addEventListener("resize", () => this.#place());
  }

  get isOpen() {
    return !this.#root.hidden;
  }

  close() {
    this.#running?.abort();
    this.#root.hidden = true;
    if (this.#root.contains(document.activeElement) || document.activeElement === document.body) this.#anchor?.focus();
    this.#anchor = null;
    this.#onClose();
  }

  // `start` is null for a sentence as a whole.
  async open(anchor, sentence, index, start) {
    this.close();
    this.#anchor = anchor;
    const mine = (this.#running = new AbortController());
    const waiting = element("p", { class: "hint" }, say("choices.loading"));
    const reasons = reasonsOf(sentence, start, anchor.textContent);
    this.#show(anchor, [...reasons, waiting]);
    try {
      const parts = await this.#parts(sentence, index, start, mine.signal);
      const remembered = suggestionList(sentence, (text) => this.#onChoose(index, text));
      if (!mine.signal.aborted) this.#show(anchor, [...reasons, ...remembered, ...parts]);
    } catch (error) {
      if (error.name !== "AbortError") this.#show(anchor, [...reasons, element("p", { class: "problem" }, error.message)]);
    }
  }

  #show(anchor, children) {
    const isEntered = this.#root.contains(document.activeElement) || document.activeElement === anchor;
    this.#root.setAttribute("aria-label", say("choices", { text: anchor.textContent }));
    this.#root.replaceChildren(...children);
    this.#root.hidden = false;
    this.#place();
    if (isEntered) this.#root.querySelector("button")?.focus({ preventScroll: true });
  }

  async #parts(sentence, index, start, signal) {
    const ask = (prefix) => translate(this.#options(sentence, { prefix, alternatives: NUM_ALTERNATIVES }), signal);
    const [atWord, whole] = await Promise.all([start ? ask(before(sentence, start)) : null, ask(undefined)]);
    const take = { choose: (text) => this.#onChoose(index, text), why: (text) => this.#onWhy(index, text) };
    const parts = atWord ? wordList(sentence, start, atWord, take) : [];
    return [...parts, ...sentenceList(sentence, whole, take)];
  }

  #place() {
    if (this.#root.hidden || !this.#anchor) return;
    const frame = this.#frame.getBoundingClientRect();
    const word = this.#anchor.getClientRects()[0] ?? frame;
    const left = Math.min(word.left - frame.left, frame.width - this.#root.offsetWidth - GAP);
    this.#root.style.left = `${Math.max(GAP, left)}px`;
    this.#root.style.top = `${word.bottom - frame.top + GAP}px`;
  }

  #move(event) {
    const buttons = [...this.#root.querySelectorAll("button")];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !buttons.length) return;
    event.preventDefault();
    const at = buttons.indexOf(document.activeElement) + step;
    buttons[(at + buttons.length) % buttons.length].focus();
  }
}

const before = ({ translation }, start) => Array.from(translation).slice(0, start).join("").trimEnd();

function reasonsOf(sentence, start, text) {
  const length = Array.from(text).length;
  const here = start === null ? [] : reasonsAt(sentence, start, start + length);
  const elsewhere = checksWithoutPlace(sentence).map((check) => ({ kind: "checked", text: checkText(check) }));
  return [...here, ...elsewhere].map(({ kind, text: reason }) => element("p", { class: `reason ${kind}` }, reason));
}

function wordList(sentence, start, reply, take) {
  const prefix = before(sentence, start);
  const now = sentence.translation.slice(prefix.length).trim();
  const seen = new Set([firstWord(now)]);
  const others = [reply.translatedText, ...reply.alternatives].filter((text) => {
    const word = firstWord(text.slice(prefix.length).trim());
    return word && !seen.has(word) && seen.add(word);
  });
  const buttons = others.map((text) => {
    const rest = text.slice(prefix.length).trim();
    const word = firstWord(rest);
    return choice([element("strong", {}, word), element("span", { class: "hint" }, rest.slice(word.length))], text, take);
  });
  return listOf(say("choices.word", { text: firstWord(now) }), buttons);
}

// With alternatives the server searches a wider beam, whose best translation may differ.
function sentenceList(sentence, reply, take) {
  const texts = new Set([reply.translatedText, ...reply.alternatives]);
  texts.delete(sentence.translation);
  return listOf(say("choices.sentence"), [...texts].map((text) => choice([text], text, take)));
}

const firstWord = (text) => text.split(/\s/, 1)[0];

function choice(children, text, { choose, why }) {
  return [
    element("button", { type: "button", dir: "auto", click: () => choose(text) }, ...children),
    element("button", { type: "button", class: "why", "aria-label": say("why.of", { text }), click: () => why(text) }, say("why")),
  ];
}

function listOf(name, items) {
  const heading = element("h3", {}, name);
  if (!items.length) return [heading, element("p", { class: "hint" }, say("choices.none"))];
  return [heading, element("ul", {}, items.map((buttons) => element("li", {}, buttons)))];
}
