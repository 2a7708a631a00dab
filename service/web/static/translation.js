// The translation pane: grows part by part; its words are buttons, doubtful ones are marked.

import { element } from "./element.js";
import { knows, locale, say } from "./interface.js";
import { roving } from "./roving.js";
import { spansOf, stretches } from "./stretches.js";

export class TranslationView {
  #root;
  #links;
  #onChoose;
  #length;
  #stops;

  constructor(root, links, onChoose) {
    [this.#root, this.#links, this.#onChoose] = [root, links, onChoose];
    this.#stops = roving(root, ".word");
    root.addEventListener("pointerover", (event) => this.#point(event.target));
    root.addEventListener("focusin", (event) => this.#point(event.target));
    root.addEventListener("pointerleave", () => links.rest());
    root.addEventListener("focusout", () => links.rest());
    root.addEventListener("click", (event) => this.#choose(event.target));
    root.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      this.#choose(event.target);
    });
    this.clear();
  }

  get text() {
    return this.#root.textContent;
  }

  clear() {
    this.sentences = [];
    this.source = null; // the text, once all of its translation is there
    this.#length = 0;
    this.#links.forget("target");
    this.#root.replaceChildren();
    this.#root.classList.remove("stale");
  }

  // An earlier text's translation stays, and looks like it.
  set isStale(isStale) {
    this.#root.classList.toggle("stale", isStale);
  }

  // Offsets count code points of the whole translation, as in Python; JavaScript counts UTF-16 units.
  append(part) {
    const characters = Array.from(part.text);
    let end = 0;
    for (const sentence of part.details) {
      const [start, stop] = sentence.target_span.map((offset) => offset - this.#length);
      this.#root.append(characters.slice(end, start).join(""));
      this.#root.append(this.#sentence(sentence, this.sentences.push(sentence) - 1, characters.slice(start, stop)));
      end = stop;
    }
    this.#root.append(characters.slice(end).join(""));
    this.#length += characters.length;
    if (this.#root.querySelector(".word")) this.#stops.reset();
  }

  // Another translation of a sentence, in its place.
  replace(index, sentence) {
    const old = this.#root.querySelectorAll(".sentence")[index];
    this.sentences[index] = sentence;
    old.replaceWith(this.#sentence(sentence, index, Array.from(sentence.translation)));
    this.#stops.reset();
  }

  focusSentence(index) {
    this.#root.querySelectorAll(".sentence")[index]?.querySelector(".word")?.focus();
  }

  #sentence(sentence, index, characters) {
    const root = element("span", sentenceMark(sentence));
    const words = new Map();
    for (const stretch of stretches(characters, spansOf(sentence.alignment, "target"))) {
      const child = stretch.isWord ? word(stretch, sentence) : stretch.part;
      if (stretch.isWord) words.set(stretch.start, child);
      root.append(child);
    }
    this.#links.align(index, sentence.alignment);
    this.#links.register("target", index, root, words);
    return root;
  }

  #point(target) {
    const found = target.closest(".word, .sentence");
    if (found) this.#links.showElement(found);
  }

  #choose(target) {
    const found = target.closest(".word, .sentence");
    if (found && getSelection().isCollapsed) this.#onChoose(found, this.#links.placeOf(found));
  }
}

// A fault without a place in the translation, such as a lost negation, marks the sentence.
function sentenceMark(sentence) {
  const isWhole = sentence.finish_reason === "stop" && !sentence.truncated;
  const faults = checksWithoutPlace(sentence).map(checkText);
  const classes = ["sentence", ...(isWhole ? [] : ["unfinished"]), ...(faults.length ? ["suspect"] : [])];
  return { class: classes.join(" "), title: faults.join("\n") || null };
}

function word({ start, end, part }, sentence) {
  const reasons = reasonsAt(sentence, start, end);
  const classes = ["word", ...new Set(reasons.map(({ kind }) => kind))].join(" ");
  const title = reasons.map(({ text }) => text).join("\n") || null;
  return element("span", { class: classes, role: "button", tabindex: "-1", title }, part);
}

// Why a word is marked: the model was unsure of it, or a check found something.
export function reasonsAt({ words = [], checks = [] }, start, end) {
  const touches = ([from, to]) => from < end && to > start;
  const found = checks.filter(({ target_span: span }) => span && touches(span));
  const reasons = found.map((check) => ({ kind: "checked", text: checkText(check) }));
  if (words.some((each) => each.doubt && touches([each.start, each.end]))) {
    reasons.push({ kind: "doubtful", text: say("doubt") });
  }
  return reasons;
}

// The server explains in English; in other languages the page knows a sentence for each check.
export function checkText({ name, message }) {
  const own = `check.${name}`;
  return locale !== "en" && knows(own) ? say(own) : message;
}

export const checksWithoutPlace = ({ checks = [] }) => checks.filter(({ target_span: span }) => !span);
