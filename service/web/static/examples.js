// Sentences to begin with, shown while there is no text.

import { byId, element } from "./element.js";
import { locale } from "./interface.js";

const EXAMPLES = {
  en: ["Where is the nearest train station?", "The old bridge was built in 1885.", "She never said that she would come."],
  de: ["Wo ist der nächste Bahnhof?", "Die alte Brücke wurde 1885 gebaut.", "Sie hat nie gesagt, dass sie kommt."],
};

// In the source language, else in that of the page, else in any that is served.
export function showExamples(text, choice, onChoose) {
  const root = byId("examples");
  root.hidden = Boolean(text) || !choice;
  if (root.hidden) return;
  const served = [choice.chosen.source, locale, ...choice.sources].filter((code) => choice.sources.includes(code));
  const code = served.find((each) => each in EXAMPLES);
  const example = (sentence) => element("button", { type: "button", class: "quiet", lang: code, click: () => onChoose(sentence) }, sentence);
  root.replaceChildren(...(EXAMPLES[code] ?? []).map(example));
  root.hidden = !root.children.length;
}
