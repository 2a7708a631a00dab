// Inspects one sentence of the translation at a time; docked, folded away until it is wanted.

import { AttentionPanel } from "./attention.js";
import { detailsPanel } from "./details.js";
import { byId, element } from "./element.js";
import { say } from "./interface.js";
import { keep, recall } from "./memory.js";
import { translate } from "./service.js";
import { Tabs } from "./tabs.js";
import { wordsPanel } from "./words.js";

export class Inspector {
  #root = byId("inspector");
  #panels = byId("panels");
  #sentences = [];
  #index = 0;
  #filled = new Set();
  #tabs;
  #onChoose;

  constructor(onChoose) {
    this.#onChoose = onChoose;
    byId("previous").addEventListener("click", () => this.choose(this.#index - 1));
    byId("next").addEventListener("click", () => this.choose(this.#index + 1));
    byId("fold").addEventListener("click", () => this.#fold(!this.#panels.hidden));
    this.#tabs = new Tabs(this.#root.querySelector("[role=tablist]"), (panel) => this.#fill(panel));
    this.#root.querySelector("[role=tablist]").addEventListener("click", () => this.#fold(false));
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
  }

  async #fill(panel) {
    const sentence = this.#sentences[this.#index];
    if (!sentence || this.#panels.hidden || this.#filled.has(panel)) return;
    this.#filled.add(panel);
    if (panel.id === "panel-words") panel.replaceChildren(...wordsPanel(sentence));
    else if (panel.id === "panel-attention") await this.#attention(panel, sentence).show();
    else await this.#fillLater(panel, sentence, details);
  }

  #attention(panel, sentence) {
    return new AttentionPanel(panel, sentence, () => this.#isSeen(sentence));
  }

  // A late reply may belong to a sentence that is no longer shown.
  #isSeen(sentence) {
    return sentence === this.#sentences[this.#index];
  }

  async #fillLater(panel, sentence, load) {
    panel.replaceChildren();
    try {
      const content = await load(sentence);
      if (this.#isSeen(sentence)) panel.replaceChildren(...content);
    } catch (error) {
      if (!this.#isSeen(sentence)) return;
      this.#filled.delete(panel);
      panel.replaceChildren(element("p", { class: "problem", role: "alert" }, error.message));
    }
  }
}

// Translated alone, a sentence has the same translation as in its text, and times of its own.
async function details(sentence) {
  const { source, languages } = sentence;
  return detailsPanel(sentence, await translate({ q: source, ...languages, details: true }));
}
