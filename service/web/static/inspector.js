// Inspects one sentence of the translation at a time; docked, folded away until it is wanted.

import { byId, element } from "./element.js";
import { say } from "./interface.js";
import { keep, recall } from "./memory.js";
import { bringIntoRow } from "./roving.js";
import { Tabs } from "./tabs.js";
import { Inspection, VIEWS } from "./views.js";

export class Inspector {
  #root = byId("inspector");
  #panels = byId("panels");
  #sentences = [];
  #index = 0;
  #filled = new Set();
  #wanted = null;
  #tabs;
  #onChoose;
  #requestOf;

  // `requestOf` gives the fields of a request to translate a sentence as the page did.
  constructor({ onChoose, requestOf }) {
    [this.#onChoose, this.#requestOf] = [onChoose, requestOf];
    const list = this.#root.querySelector("[role=tablist]");
    for (const { name } of VIEWS) {
      list.append(element("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `panel-${name}`, "data-say": name }));
      this.#panels.append(element("div", { role: "tabpanel", id: `panel-${name}`, "aria-labelledby": `tab-${name}` }));
    }
    byId("previous").addEventListener("click", () => this.choose(this.#index - 1));
    byId("next").addEventListener("click", () => this.choose(this.#index + 1));
    byId("fold").addEventListener("click", () => this.#fold(!this.#panels.hidden));
    this.#tabs = new Tabs(list, (panel) => this.#fill(panel));
    list.addEventListener("click", () => this.#fold(false));
    this.#panels.hidden = !recall("inspector", false);
    this.#showFold();
  }

  hide() {
    this.#root.hidden = true;
    this.#sentences = [];
  }

  // Keeps the place while a text is being written.
  open(sentences) {
    const wasOpen = this.#sentences.length > 0;
    this.#sentences = sentences;
    this.#root.hidden = !sentences.length;
    if (sentences.length) this.choose(wasOpen ? Math.min(this.#index, sentences.length - 1) : 0, { isQuiet: true });
    else this.#onChoose(null);
  }

  replace(sentences, index) {
    this.#sentences = sentences;
    this.choose(index);
  }

  choose(index, { isQuiet = false } = {}) {
    if (!this.#sentences[index]) return;
    this.#index = index;
    this.#filled.clear();
    byId("place").textContent = say("place", { index: index + 1, count: this.#sentences.length });
    byId("previous").disabled = index === 0;
    byId("next").disabled = index === this.#sentences.length - 1;
    this.#onChoose(isQuiet && this.#panels.hidden ? null : index);
    this.#fill(this.#tabs.panelOf(this.#tabs.chosen));
  }

  // Shows a sentence in a view, which begins with what is `wanted` of it.
  reveal(name, index, wanted = {}) {
    this.#wanted = { name, wanted };
    this.choose(index);
    this.#tabs.show(byId(`tab-${name}`));
    this.#fold(false);
    byId(`tab-${name}`).focus();
  }

  #fold(isFolded) {
    this.#panels.hidden = isFolded;
    keep("inspector", !isFolded);
    this.#showFold();
    this.#onChoose(isFolded ? null : this.#index);
    this.#fill(this.#tabs.panelOf(this.#tabs.chosen));
  }

  #showFold() {
    const isOpen = !this.#panels.hidden;
    const button = byId("fold");
    button.setAttribute("aria-expanded", isOpen);
    this.#root.classList.toggle("open", isOpen);
    bringIntoRow(this.#tabs.chosen); // which is bold now
  }

  async #fill(panel) {
    const sentence = this.#sentences[this.#index];
    if (!sentence || this.#panels.hidden || this.#filled.has(panel)) return;
    this.#filled.add(panel);
    const view = VIEWS.find(({ name }) => panel.id === `panel-${name}`);
    const isFilled = await view.show(panel, this.#inspection(sentence, view.name));
    if (isFilled === false && sentence === this.#sentences[this.#index]) this.#filled.delete(panel);
  }

  #inspection(sentence, name) {
    const wanted = this.#wanted?.name === name ? this.#wanted.wanted : {};
    if (this.#wanted?.name === name) this.#wanted = null;
    const isSeen = (one) => one === this.#sentences[this.#index];
    return new Inspection(sentence, { requestOf: this.#requestOf, isSeen, wanted });
  }
}
