// Earlier translations, in this browser only.

import { element } from "./element.js";
import { languageName, say } from "./interface.js";
import { keep, recall } from "./memory.js";

const MOST = 40;
const LONGEST = 5_000;

export class History {
  #root;
  #onChoose;

  constructor(root, onChoose) {
    [this.#root, this.#onChoose] = [root, onChoose];
  }

  // A text that goes on from the last one, or was cut from it, takes its place: it was being typed.
  add(entry) {
    if (entry.text.length > LONGEST) return;
    const [last, ...others] = recall("history", []);
    const goesOn = last && (entry.text.startsWith(last.text) || last.text.startsWith(entry.text));
    const before = !last ? [] : goesOn && last.target === entry.target ? others : [last, ...others];
    keep("history", [entry, ...before].slice(0, MOST));
    if (!this.#root.hidden) this.show();
  }

  show() {
    const entries = recall("history", []);
    const hint = element("p", { class: "hint" }, say(entries.length ? "history.hint" : "history.empty"));
    const list = element("ul", { class: "entries" }, entries.map((entry) => this.#entry(entry)));
    const clear = element("button", { type: "button", class: "quiet", click: () => this.#clear() }, say("history.clear"));
    this.#root.replaceChildren(hint, ...(entries.length ? [list, clear] : []));
  }

  #entry(entry) {
    const direction = `${languageName(entry.source)} → ${languageName(entry.target)}`;
    return element("li", {}, element("button", { type: "button", click: () => this.#onChoose(entry) },
      element("span", { class: "hint" }, direction),
      element("span", { class: "line", dir: "auto", lang: entry.source }, entry.text),
      element("span", { class: "line", dir: "auto", lang: entry.target }, entry.translation)));
  }

  #clear() {
    keep("history", null);
    this.show();
  }
}
