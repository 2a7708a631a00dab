// Details of one sentence: how it ended, how sure the model was, where the time went.

import { element } from "./element.js";
import { knows, languageName, number, percent, say } from "./interface.js";
import { checkText } from "./translation.js";

export function detailsPanel(sentence, reply) {
  const rows = facts(sentence).flatMap(([name, value, hint]) => [
    element("dt", {}, say(`fact.${name}`)),
    element("dd", {}, value, hint ? element("span", { class: "hint" }, ` ${say(`fact.${name}.hint`)}`) : ""),
  ]);
  return [element("dl", { class: "facts" }, rows), ...checks(sentence), ...probabilities(sentence), ...times(reply.times)];
}

function facts(sentence) {
  const placeholders = ["placeholders", say(sentence.placeholders_ok ? "placeholders.kept" : "placeholders.lost"), true];
  if (sentence.origin === "memory") return [["origin", say("origin.memory"), false], placeholders];
  const ending = `ending.${sentence.finish_reason}`;
  const found = [];
  if (sentence.confidence !== undefined) found.push(["confidence", percent(sentence.confidence), true]);
  found.push(
    ["ending", (knows(ending) ? say(ending) : sentence.finish_reason) + (sentence.truncated ? say("ending.truncated") : ""), false],
    ["read", number(sentence.source_tokens.length), true],
    ["written", number(sentence.target_tokens.length), true],
    ["score", say("nats", { count: rounded(sentence.score), each: rounded(sentence.score / Math.max(1, sentence.target_tokens.length)) }), true],
    placeholders,
  );
  if (sentence.route) {
    const [first] = sentence.route;
    found.push(["route", `${languageName(first.target)}: ${first.translation}`, false]);
  }
  return found;
}

const rounded = (value) => number(value, { minimumFractionDigits: 2, maximumFractionDigits: 2 });

function checks({ checks: found = [] }) {
  if (!found.length) return [];
  const items = found.map((check) => element("li", {}, checkText(check)));
  return [element("h3", {}, say("checks")), element("ul", { class: "checks" }, items)];
}

function probabilities({ target_tokens: pieces, token_scores: scores }) {
  if (!pieces.length) return [];
  const items = pieces.map((piece, place) => {
    const share = Math.exp(scores[place]);
    return bar(piece, share, percent(share));
  });
  return [element("h3", {}, say("probabilities")), element("ul", { class: "bars" }, items)];
}

function times(stages) {
  if (!stages.length) return [];
  const longest = Math.max(...stages.map((stage) => stage.milliseconds)) || 1;
  const items = stages.map(({ stage, milliseconds }) => {
    const name = knows(`stage.${stage}`) ? say(`stage.${stage}`) : stage;
    return bar(name, milliseconds / longest, say("milliseconds", { count: Number(milliseconds.toFixed(1)) }), stage);
  });
  return [element("h3", {}, say("times")), element("ul", { class: "bars" }, items)];
}

function bar(name, share, value, title = null) {
  const filled = element("span", { class: "filled" });
  filled.style.width = `${100 * share}%`;
  return element("li", {},
    element("span", { class: "piece", title }, name),
    element("span", { class: "bar", "aria-hidden": "true" }, filled),
    element("span", { class: "hint" }, value));
}
