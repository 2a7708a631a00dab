// What if the source were another: words are struck or replaced, and the translations compared word by word.

import { element } from "./element.js";
import { say } from "./interface.js";
import { roving } from "./roving.js";
import { compare, translate } from "./service.js";
import { spansOf, stretches } from "./stretches.js";

const PAUSE_MS = 150; // after the last key

export class WhatIfPanel {
  #root;
  #sentence;
  #inspection;
  #stretches;
  #edits = new Map(); // start of a word -> what stands there instead; "" is struck
  #buttons = new Map();
  #chosen = null;
  #base = null;
  #running = null;
  #timer = null;
  #hint = element("p", { class: "readout" }, say("what-if.hint"));
  #editor = element("div", { class: "editor", hidden: true });
  #result = element("div", { class: "result", "aria-live": "polite" });

  constructor(root, inspection) {
    [this.#root, this.#inspection, this.#sentence] = [root, inspection, inspection.sentence];
    const { source, alignment } = this.#sentence;
    this.#stretches = stretches(Array.from(source), spansOf(alignment, "source"));
  }

  show() {
    if (!this.#sentence.source_tokens.length) {
      this.#root.replaceChildren(element("p", { class: "readout" }, say("nothing.what-if")));
      return;
    }
    this.#root.replaceChildren(this.#hint, this.#line(), this.#editor, this.#result);
  }

  #line() {
    const line = element("p", { class: "line changing", dir: "auto", role: "group", "aria-label": say("words.source"), lang: this.#sentence.languages.source });
    for (const { start, part, isWord } of this.#stretches) line.append(isWord ? this.#word(start, part) : part);
    roving(line, ".word").reset();
    return line;
  }

  #word(start, part) {
    const button = element("button", {
      type: "button", class: "word", tabindex: -1, "aria-expanded": "false", "aria-keyshortcuts": "Delete",
      click: (event) => this.#choose(start, { isTyping: event.pointerType !== "touch" }),
      keydown: (event) => event.key === "Delete" && this.#edit(start, this.#edits.get(start) === "" ? null : ""),
    }, part);
    this.#buttons.set(start, { button, part });
    return button;
  }

  // A tap would raise the keyboard of a phone over the sentence.
  #choose(start, { isTyping }) {
    this.#chosen = start;
    for (const [each, { button }] of this.#buttons) button.setAttribute("aria-expanded", String(each === start));
    const { part } = this.#buttons.get(start);
    const input = element("input", {
      value: this.#edits.get(start) ?? part, autocomplete: "off", lang: this.#sentence.languages.source,
      input: () => this.#edit(start, input.value.trim(), { isTyping: true }),
      keydown: (event) => this.#leave(event, start),
    });
    this.#editor.replaceChildren(
      element("label", {}, `${say("what-if.instead", { text: part })} `, input),
      this.#action("strike", () => this.#edit(start, "")),
      this.#action("restore", () => this.#edit(start, null)),
      this.#action("restore-all", () => this.#restoreAll()));
    this.#editor.hidden = false;
    this.#hint.hidden = true; // a phone has no room for both
    if (isTyping) input.select();
    if (isTyping) input.focus();
  }

  #action(name, click) {
    return element("button", { type: "button", class: "quiet", "data-action": name, click }, say(`what-if.${name}`));
  }

  #leave(event, start) {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    this.#buttons.get(start).button.focus();
  }

  // Null, or the word itself, leaves the word as it was.
  #edit(start, text, { isTyping = false } = {}) {
    const { part } = this.#buttons.get(start);
    if (text === null || text === part) this.#edits.delete(start);
    else this.#edits.set(start, text);
    this.#mark(start);
    const input = this.#editor.querySelector("input");
    if (!isTyping && input && this.#chosen === start) input.value = this.#edits.get(start) ?? part;
    clearTimeout(this.#timer);
    this.#running?.abort();
    if (isTyping) this.#timer = setTimeout(() => this.#run(), PAUSE_MS);
    else this.#run().then(() => this.#result.scrollIntoView({ block: "nearest" }));
  }

  #restoreAll() {
    const starts = [...this.#edits.keys()];
    this.#edits.clear();
    for (const start of starts) this.#mark(start);
    if (this.#chosen !== null) this.#edit(this.#chosen, null);
  }

  #mark(start) {
    const { button, part } = this.#buttons.get(start);
    const text = this.#edits.get(start);
    if (text === undefined) button.replaceChildren(part);
    else button.replaceChildren(element("del", {}, part), ...(text ? [" ", element("ins", {}, text)] : []));
  }

  async #run() {
    const mine = (this.#running = new AbortController());
    if (!this.#edits.size) return this.#result.replaceChildren();
    const changed = without(this.#stretches, this.#edits);
    if (!changed) return this.#tell(say("what-if.empty"));
    try {
      const content = await this.#compared(changed, mine.signal);
      if (!mine.signal.aborted) this.#result.replaceChildren(...content);
    } catch (error) {
      if (!mine.signal.aborted) this.#tell(error.message, { isProblem: true });
    }
  }

  async #compared(changed, signal) {
    const [before, after] = await Promise.all([this.#translation(), this.#translate(changed, signal)]);
    const { api_key } = this.#inspection.request();
    const found = await compare({ first: before, second: after, ...(api_key && { api_key }) }, signal);
    const { source, target } = this.#sentence.languages;
    return [
      element("p", { class: "changed-source", dir: "auto", lang: source }, changed),
      element("p", { class: "summary" }, summary(found)),
      ...(found.changed ? [element("p", { class: "hint" }, say("what-if.lines"))] : []),
      element("ol", { class: "beside", dir: "auto", lang: target, "aria-label": say("translation") }, found.steps.map(step)),
    ];
  }

  // One that was chosen by hand is not what the model would have written: it is no base for comparison.
  #translation() {
    if (!this.#sentence.isChosen) return this.#sentence.translation;
    this.#base ??= this.#translate(this.#sentence.source).catch((error) => {
      this.#base = null;
      throw error;
    });
    return this.#base;
  }

  async #translate(q, signal) {
    return (await translate(this.#inspection.request({ q }), signal)).translatedText;
  }

  #tell(text, { isProblem = false } = {}) {
    this.#result.replaceChildren(element("p", { class: isProblem ? "problem" : "summary", role: isProblem ? "alert" : null }, text));
  }
}

function summary({ changed, steps }) {
  return changed ? say("what-if.changed", { count: changed, of: steps.length }) : say("what-if.same");
}

// What both have is heard once.
function step({ first, second, same }) {
  if (same) return element("li", {}, element("span", {}, first.text), element("span", { "aria-hidden": "true" }, second.text));
  return element("li", { class: "changed" },
    first ? element("del", {}, first.text) : element("span", { class: "gap", "aria-hidden": "true" }, "∅"),
    second ? element("ins", {}, second.text) : element("span", { class: "gap", "aria-hidden": "true" }, "∅"));
}

// The text with its edits; a struck word goes with the white space behind it, the last one with that before it.
function without(parts, edits) {
  const kept = [];
  let isAfterStruck = false;
  for (const { start, part, isWord } of parts) {
    if (isWord && edits.get(start) === "") {
      isAfterStruck = true;
      continue;
    }
    if (!isWord && isAfterStruck && (!kept.length || isSpace(kept.at(-1)))) continue;
    if (isWord && isAfterStruck && isSpace(kept.at(-1)) && !/[\p{L}\p{N}]/u.test(part)) kept.pop();
    isAfterStruck = isAfterStruck && !isWord;
    kept.push(isWord ? edits.get(start) ?? part : part);
  }
  return kept.join("").trim();
}

const isSpace = (part) => part !== undefined && /^\s+$/.test(part);
