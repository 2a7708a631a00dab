// Translations of similar sentences that the translation memory has, beside the model's own.

import { element } from "./element.js";
import { percent, say } from "./interface.js";

export function suggestionList({ suggestions = [] }, choose) {
  if (!suggestions.length) return [];
  const items = suggestions.map(({ source, translation, score }) => {
    const similar = element("span", { class: "hint" }, say("choices.similar", { score: percent(score), source }));
    return element("li", {}, element("button", { type: "button", dir: "auto", click: () => choose(translation) }, translation, " ", similar));
  });
  return [element("h3", {}, say("choices.memory")), element("ul", {}, items)];
}
