// The views of a sentence, in the order of their tabs. `say(name)` names the tab; `show` fills the panel
// with what there is to see of an inspection, at once or when its requests are answered.

import { AttentionPanel } from "./attention.js";
import { CausesPanel } from "./causes.js";
import { detailsPanel } from "./details.js";
import { element } from "./element.js";
import { replayPanel } from "./replay.js";
import { translate } from "./service.js";
import { WhatIfPanel } from "./what_if.js";
import { wordsPanel } from "./words.js";

export const VIEWS = [
  { name: "words", show: (panel, { sentence }) => panel.replaceChildren(...wordsPanel(sentence)) },
  { name: "attention", show: (panel, inspection) => new AttentionPanel(panel, inspection).show() },
  { name: "causes", show: (panel, inspection) => new CausesPanel(panel, inspection).show() },
  { name: "what-if", show: (panel, inspection) => new WhatIfPanel(panel, inspection).show() },
  { name: "replay", show: later(replayPanel) },
  { name: "details", show: later(details) },
];

// One sentence while it is looked at. A late reply may belong to a sentence that is no longer shown:
// `isSeen` says whether it still is.
export class Inspection {
  #requestOf;
  #isSeen;

  // `wanted` is what a view is asked to begin with, such as a contrast.
  constructor(sentence, { requestOf, isSeen, wanted = {} }) {
    [this.sentence, this.wanted] = [sentence, wanted];
    [this.#requestOf, this.#isSeen] = [requestOf, isSeen];
  }

  get isSeen() {
    return this.#isSeen(this.sentence);
  }

  // Fields of a request to translate it as the page did, with its key, glossary and options.
  request(more = {}) {
    return this.#requestOf(this.sentence, more);
  }

  // Fields of a request to look into it, without what only a translation has.
  question(more = {}) {
    const { api_key } = this.request();
    return { q: this.sentence.source, ...this.sentence.languages, ...(api_key && { api_key }), ...more };
  }
}

// Fills a panel when `load` is done. A problem is a sentence in its place, and `false`: not yet filled.
export function later(load) {
  return async (panel, inspection) => {
    panel.replaceChildren();
    try {
      const content = await load(inspection);
      if (inspection.isSeen) panel.replaceChildren(...content);
    } catch (error) {
      if (inspection.isSeen) panel.replaceChildren(element("p", { class: "problem", role: "alert" }, error.message));
      return false;
    }
    return true;
  };
}

// Translated alone, a sentence has the same translation as in its text, and times of its own.
async function details(inspection) {
  return detailsPanel(inspection.sentence, await translate(inspection.question({ details: true })));
}
