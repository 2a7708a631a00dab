// Details of one sentence: alternatives, finish reason, probabilities, times.

import { element } from "./element.js";
import { languageName } from "./languages.js";

const ENDINGS = {
  stop: "The model ended it itself",
  length: "Cut off at the maximum length",
  repetition: "Stopped because it repeated itself",
  deadline: "Stopped at the deadline",
};

// With alternatives the server searches a wider beam, whose best translation may differ.
export function alternativesPanel({ translation }, reply) {
  const others = [reply.translatedText, ...reply.alternatives].filter((text) => text !== translation);
  if (!others.length) return [element("p", { class: "readout" }, "The model found no other translation.")];
  return [
    element("p", { class: "readout" }, "Other translations, most likely first."),
    element("ol", { class: "alternatives" }, others.map((text) => element("li", {}, text))),
  ];
}

export function detailsPanel(sentence, reply) {
  const facts = {
    Ending: ENDINGS[sentence.finish_reason] ?? sentence.finish_reason,
    "Pieces read": sentence.source_tokens.length,
    "Pieces written": sentence.target_tokens.length,
    "Log-probability": `${sentence.score.toFixed(2)} nats, ${perPiece(sentence)} for each piece`,
    "Placeholders": sentence.placeholders_ok ? "all there" : "one is missing or was changed",
  };
  if (sentence.route) {
    const [first] = sentence.route;
    facts["By way of"] = `${languageName(first.target)}: ${first.translation}`;
  }
  if (sentence.truncated) facts.Ending += "; part of the text is missing";
  const rows = Object.entries(facts).flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))]);
  return [element("dl", { class: "facts" }, rows), ...probabilities(sentence), ...times(reply.times)];
}

const perPiece = ({ score, target_tokens: pieces }) => (score / Math.max(1, pieces.length)).toFixed(2);

function probabilities({ target_tokens: pieces, token_scores: scores }) {
  if (!pieces.length) return [];
  const items = pieces.map((piece, place) => {
    const share = Math.exp(scores[place]);
    const item = element("li", {}, element("span", { class: "piece" }, piece), bar(share), element("span", { class: "hint" }, `${Math.round(100 * share)} %`));
    return item;
  });
  return [element("h3", {}, "How sure the model was of each piece"), element("ul", { class: "bars" }, items)];
}

function times(stages) {
  if (!stages.length) return [];
  const longest = Math.max(...stages.map((stage) => stage.milliseconds));
  const items = stages.map(({ stage, milliseconds }) => element("li", {},
    element("span", { class: "piece" }, stage), bar(milliseconds / (longest || 1)), element("span", { class: "hint" }, `${milliseconds.toFixed(1)} ms`)));
  return [element("h3", {}, "Where the time went"), element("ul", { class: "bars" }, items)];
}

function bar(share) {
  const filled = element("span", { class: "filled" });
  filled.style.width = `${100 * share}%`;
  return element("span", { class: "bar", "aria-hidden": "true" }, filled);
}
