// The search of one sentence, step by step: a scrubber, the tree of its beams, and the candidates of a step.

import { beamTree } from "./beam_tree.js";
import { element, svg } from "./element.js";
import { number, say } from "./interface.js";
import { translate } from "./service.js";

const LIVING = new Set(["kept", "ended"]);

// A translation that was chosen by hand is searched for again as its own beginning.
export async function replayPanel(inspection) {
  const { isChosen, translation, languages, source_tokens: read } = inspection.sentence;
  const { details } = read.length
    ? await translate(inspection.request({ details: true, search: true, ...(isChosen && { prefix: translation }) }))
    : { details: [] };
  const searches = details.map(({ search }) => search).filter(Boolean);
  if (!searches.length) return [element("p", { class: "readout" }, say("nothing.replay"))];
  return searches.flatMap((search) => new Replay(search, languages.target).parts);
}

class Replay {
  #search;
  #beginnings;
  #language;
  #tree;
  #scrubber;
  #said = element("p", { class: "readout", "aria-live": "polite" });
  #table = element("tbody");
  #buttons;

  constructor(search, language) {
    [this.#search, this.#language] = [search, language];
    this.#beginnings = beginningsOf(search.steps);
    this.#tree = beamTree(search, say("replay.tree", { count: search.steps.length, beams: search.beam_size }), (step) => this.#show(step));
    this.#scrubber = element("input", {
      type: "range", min: 1, max: search.steps.length, value: 1, "aria-label": say("replay.scrubber"),
      input: () => this.#show(Number(this.#scrubber.value) - 1),
    });
    this.#buttons = [-1, 1].map((by) => this.#button(by));
    this.parts = [this.#controls(), this.#frame(), this.#said, this.#candidates(), ...this.#ending()];
    this.#show(0);
  }

  #button(by) {
    const shape = by < 0 ? "m14 6-6 6 6 6" : "m10 6 6 6-6 6";
    const icon = svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: shape }));
    const name = say(by < 0 ? "replay.earlier" : "replay.later");
    return element("button", {
      type: "button", class: "plain round", "aria-label": name, title: name,
      click: () => this.#show(Number(this.#scrubber.value) - 1 + by),
    }, icon);
  }

  #controls() {
    const [earlier, later] = this.#buttons;
    return element("div", { class: "scrubber" }, earlier, this.#scrubber, later);
  }

  #frame() {
    return element("div", { class: "wide", tabindex: 0, role: "region", "aria-label": say("replay.beams") }, this.#tree.root);
  }

  #candidates() {
    const heads = ["beginning", "token", "probability", "log_prob", "fate"].map((name) => element("th", { scope: "col" }, say(`replay.${name}`)));
    const table = element("table", { class: "candidates" }, element("thead", {}, element("tr", {}, heads)), this.#table);
    return element("div", { class: "wide", tabindex: 0, role: "region", "aria-label": say("replay.candidates") }, table);
  }

  #show(step) {
    const { steps } = this.#search;
    if (!steps[step]) return;
    this.#scrubber.value = step + 1;
    this.#buttons[0].disabled = step === 0;
    this.#buttons[1].disabled = step === steps.length - 1;
    this.#tree.mark(step);
    this.#said.textContent = this.#summary(step);
    this.#scrubber.setAttribute("aria-valuetext", this.#said.textContent);
    this.#table.replaceChildren(...steps[step].map((candidate) => this.#row(candidate, step)));
  }

  #row(candidate, step) {
    const share = element("span", { class: "filled" });
    share.style.width = `${100 * candidate.probability}%`;
    return element("tr", { class: candidate.is_result ? "result" : candidate.fate },
      element("td", { lang: this.#language }, written(this.#beginnings[step][candidate.prefix])),
      element("th", { scope: "row", class: "piece", lang: this.#language }, candidate.token),
      element("td", {}, element("span", { class: "bar", "aria-hidden": "true" }, share), fine(candidate.probability)),
      element("td", {}, rounded(candidate.log_prob)),
      element("td", {}, say(candidate.is_result ? `fate.${candidate.fate}.result` : `fate.${candidate.fate}`)));
  }

  #summary(step) {
    const { steps } = this.#search;
    const living = this.#beginnings[step].length;
    const died = this.#beginnings[step].filter((_, place) => !steps[step].some(({ prefix, fate }) => prefix === place && LIVING.has(fate))).length;
    const found = steps[step].find((candidate) => candidate.is_result);
    const parts = [say("replay.step", { index: step + 1, count: steps.length }), say("replay.living", { count: living })];
    if (died) parts.push(say("replay.died", { count: died }));
    if (found) parts.push(say("replay.taken", { token: found.token, share: fine(found.probability) }));
    return parts.join(" ");
  }

  // Why it stopped, and what it had finished by then, best first.
  #ending() {
    const { steps, stop, length_penalty: penalty } = this.#search;
    const finished = finishedOf(steps, this.#beginnings);
    const items = finished.map(({ text, score, log_prob, is_result }) => element("li", { class: is_result ? "result" : "" },
      element("span", { lang: this.#language }, text), " ",
      element("span", { class: "hint" }, say("replay.score", { score: rounded(score, 3), sum: rounded(log_prob) }))));
    return [
      element("h3", {}, say("replay.why")),
      element("p", { class: "stop" }, say(`stop.${stop}`)),
      ...(items.length ? [element("ol", { class: "finished" }, items)] : []),
      ...(items.length > 1 ? [element("p", { class: "hint" }, say("replay.ranked", { penalty }))] : []),
    ];
  }
}

// The prefixes of every step, in their places: [step][place] is the list of their tokens.
function beginningsOf(steps) {
  const found = [[[]]];
  for (const [at, step] of steps.entries()) {
    const next = [];
    for (const { prefix, token, place } of step) if (place !== null) next[place] = [...found[at][prefix], token];
    found.push(next);
  }
  return found;
}

function finishedOf(steps, beginnings) {
  const found = steps.flatMap((step, at) => step.filter(({ score }) => score !== null)
    .map((candidate) => ({ ...candidate, text: written(beginnings[at][candidate.prefix]) })));
  return found.sort((one, other) => other.score - one.score);
}

const written = (tokens) => tokens.join("").replaceAll("▁", " ").trim();
const fine = (share) => number(share, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const rounded = (value, digits = 2) => number(value, { minimumFractionDigits: digits, maximumFractionDigits: digits });
