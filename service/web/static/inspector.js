// Inspects one sentence of the translation at a time.

import { AttentionPanel } from "./attention.js";
import { alternativesPanel, detailsPanel } from "./details.js";
import { byId, element } from "./element.js";
import { translate } from "./service.js";
import { Tabs } from "./tabs.js";
import { wordsPanel } from "./words.js";

const NUM_ALTERNATIVES = 3;

export class Inspector {
  #root = byId("inspector");
  #sentences = [];
  #index = 0;
  #filled = new Set();
  #tabs;
  #onChoose;

  constructor(onChoose) {
    this.#onChoose = onChoose;
    byId("previous").addEventListener("click", () => this.choose(this.#index - 1));
    byId("next").addEventListener("click", () => this.choose(this.#index + 1));
    this.#tabs = new Tabs(this.#root.querySelector("[role=tablist]"), (panel) => this.#fill(panel));
  }

  hide() {
    this.#root.hidden = true;
    this.#sentences = [];
  }

  open(sentences) {
    this.#sentences = sentences;
    this.#root.hidden = !sentences.length;
    if (sentences.length) this.choose(0);
  }

  choose(index) {
    if (!this.#sentences[index]) return;
    this.#index = index;
    this.#filled.clear();
    byId("place").textContent = `Sentence ${index + 1} of ${this.#sentences.length}`;
    byId("previous").disabled = index === 0;
    byId("next").disabled = index === this.#sentences.length - 1;
    this.#onChoose(index);
    this.#fill(this.#tabs.panelOf(this.#tabs.chosen));
  }

  async #fill(panel) {
    const sentence = this.#sentences[this.#index];
    if (!sentence || this.#filled.has(panel)) return;
    this.#filled.add(panel);
    if (panel.id === "panel-words") panel.replaceChildren(...wordsPanel(sentence));
    else if (panel.id === "panel-attention") await this.#attention(panel, sentence).show();
    else if (panel.id === "panel-details") await this.#fillLater(panel, sentence, details);
    else await this.#fillLater(panel, sentence, alternatives);
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

async function alternatives(sentence) {
  const { source, languages } = sentence;
  return alternativesPanel(sentence, await translate({ q: source, ...languages, alternatives: NUM_ALTERNATIVES }));
}

// Translated alone, a sentence has the same translation as in its text, and times of its own.
async function details(sentence) {
  const { source, languages } = sentence;
  return detailsPanel(sentence, await translate({ q: source, ...languages, details: true }));
}
