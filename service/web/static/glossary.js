// The glossary box: terms and what they have to become, kept for each target language.

import { element } from "./element.js";
import { languageName, say } from "./interface.js";
import { keep, recall } from "./memory.js";

export class Glossary {
  #root;
  #onChange;
  #target = "";
  #rows = [];

  constructor(root, onChange) {
    [this.#root, this.#onChange] = [root, onChange];
  }

  // Complete entries for a language; of two with the same source the first counts.
  entries(target) {
    const found = new Map();
    for (const { source, target: term } of recall(`glossary.${target}`, [])) {
      const key = source.trim().toLocaleLowerCase();
      if (key && term.trim() && !found.has(key)) found.set(key, { source: source.trim(), target: term.trim() });
    }
    return [...found.values()];
  }

  show(target) {
    this.#target = target;
    this.#rows = recall(`glossary.${target}`, []);
    if (!this.#rows.length) this.#rows = [{ source: "", target: "" }];
    this.#draw();
  }

  #draw() {
    this.#root.replaceChildren(
      element("p", { class: "hint" }, say("glossary.hint", { language: languageName(this.#target) })),
      element("ul", { class: "terms" }, this.#rows.map((row, index) => this.#row(row, index))),
      element("button", { type: "button", class: "quiet", click: () => this.#add() }, say("glossary.add")),
    );
  }

  #row(row, index) {
    const field = (name) => element("input", {
      value: row[name], "aria-label": say(`glossary.${name}`), placeholder: say(`glossary.${name}`),
      lang: name === "target" ? this.#target : null,
      change: ({ target }) => this.#change(row, name, target.value),
    });
    const remove = element("button", {
      type: "button", class: "plain round", "aria-label": say("remove"), title: say("remove"), click: () => this.#remove(index),
    }, "×");
    return element("li", {}, field("source"), element("span", { "aria-hidden": "true" }, "→"), field("target"), remove);
  }

  #change(row, name, value) {
    row[name] = value;
    this.#store();
  }

  #add() {
    this.#rows.push({ source: "", target: "" });
    this.#draw();
    this.#root.querySelector("li:last-child input").focus();
  }

  #remove(index) {
    this.#rows.splice(index, 1);
    this.#store();
    this.show(this.#target);
  }

  #store() {
    const filled = this.#rows.filter(({ source, target }) => source.trim() || target.trim());
    keep(`glossary.${this.#target}`, filled.length ? filled : null);
    this.#onChange();
  }
}
