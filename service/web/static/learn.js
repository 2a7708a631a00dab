// The page of questions about the Transformer, answered with the numbers of the reader's sentence.

import { byId, element } from "./element.js";
import { languageName, loadInterface, say } from "./interface.js";
import { FIGURES } from "./learn_figures.js";
import { largestDifference } from "./learn_numbers.js";
import { STATE_FIGURES } from "./learn_states.js";
import { trained } from "./learn_variants.js";
import { inspect, loadModels, translate } from "./service.js";

const TEXTS = { en: "The weather is nice today.", de: "Das Wetter ist heute schön." };
const NEIGHBOURS = {
  en: ["The old bridge over the river was built a hundred years ago and is still used every day.", "Good morning.", "Where is the station?"],
  de: ["Die alte Brücke über den Fluss wurde vor hundert Jahren gebaut und wird noch jeden Tag benutzt.", "Guten Morgen.", "Wo ist der Bahnhof?"],
};
const KINDS = ["encoder", "decoder", "cross"];

let texts;
let vocabularies;
let variants;
let pairs;
let measured = null;

async function start() {
  await loadInterface();
  document.title = `Pellucid: ${say("learn.title")}`;
  let models;
  [texts, vocabularies, variants, models] = await Promise.all([load("learn"), load("learn_pieces"), load("learn_variants"), loadModels()]);
  pairs = models.flatMap((model) => model.pairs.map((pair) => ({ model, ...pair })));
  byId("answers").replaceChildren(...texts.answers.map(section));
  byId("contents").replaceChildren(...texts.answers.map(({ number, question }) => element("li", {}, element("a", { href: `#question-${number}` }, question))));
  fillPairs();
  byId("form").addEventListener("submit", (event) => {
    event.preventDefault();
    run(measure);
  });
  byId("head").addEventListener("change", () => {
    draw();
    run(drawStates);
  });
  await run(measure);
  if (location.hash) document.querySelector(location.hash)?.scrollIntoView();
}

const load = async (name) => (await fetch(`static/${name}.json`)).json();

function section({ number, question, chinese, answer, snippet, proof }) {
  return element("section", { class: "answer", id: `question-${number}` },
    element("h2", {}, `${number}. ${question}`),
    element("p", { class: "chinese", lang: "zh" }, chinese),
    ...answer.map((paragraph) => element("p", {}, marked(paragraph))),
    element("figure", { id: `figure-${number}` }),
    ...(number in STATE_FIGURES ? [element("figure", { class: "states", id: `figure-${number}-states`, hidden: true })] : []),
    ...trained(number, variants),
    element("details", {}, element("summary", {}, "Run it"), element("pre", { tabindex: 0 }, snippet)),
    element("p", { class: "proof" }, "Proof: ", ...proof.flatMap((test) => [element("code", {}, test), element("br")])));
}

// `code` and *emphasis* of the document.
function marked(paragraph) {
  return paragraph.split(/(`[^`]+`|\*[^*]+\*)/).map((part) => {
    if (part.startsWith("`")) return element("code", {}, part.slice(1, -1));
    return part.startsWith("*") ? element("em", {}, part.slice(1, -1)) : part;
  });
}

function fillPairs() {
  byId("pair").replaceChildren(...pairs.map(({ source, target }, i) => new Option(`${languageName(source)} → ${languageName(target)}`, i)));
  byId("pair").addEventListener("change", () => fillForm(pairs[byId("pair").value]));
  fillForm(pairs[0]);
}

function fillForm({ source, model: { architecture } }) {
  byId("text").value = TEXTS[source] ?? byId("text").value;
  const options = Array.from({ length: architecture.num_encoder_layers * architecture.num_heads }, (_, i) => {
    const [layer, head] = [Math.floor(i / architecture.num_heads), i % architecture.num_heads];
    return new Option(`layer ${layer + 1}, head ${head + 1}`, i);
  });
  byId("head").replaceChildren(...options);
}

async function run(task) {
  byId("problem").hidden = true;
  document.body.classList.add("waiting");
  try {
    await task();
  } catch (error) {
    byId("problem").textContent = error.message;
    byId("problem").hidden = false;
  }
  document.body.classList.remove("waiting");
}

// Greedy, as the scores of each step are then of the translation that is returned.
async function measure() {
  const { source, target, model } = pairs[byId("pair").value];
  const others = NEIGHBOURS[source] ?? NEIGHBOURS.en;
  const asked = { source, target, details: true, beam_size: 1 };
  const reply = await translate({ ...asked, q: byId("text").value });
  const [own] = reply.details;
  if (!own?.target_tokens.length) throw new Error(say("learn.empty"));
  const many = await translate({ ...asked, q: [own.source, ...others] });
  const [given] = await inspectAll([own.source], [own.translation], asked);
  const [padded, longer] = await inspectAll([own.source, others[0]], [own.translation, many.translatedText[1]], asked);
  const differs = (kind) => largestDifference(given[kind], padded[kind]);
  measured = {
    source_language: source, target_language: target, hasStates: model.states, translation: own.translation,
    architecture: model.architecture, maps: given, source: own.source, gradients: texts.gradients, vocabularies,
    sourceTokens: given.source_tokens, targetTokens: own.target_tokens, forcedTokens: given.target_tokens, neighbour: others[0],
    alone: own.token_scores, beside: many.details[0][0].token_scores, forced: given.token_scores,
    isPadded: longer.source_tokens.length > given.source_tokens.length, padded: Math.max(differs("encoder"), differs("cross")),
  };
  byId("translation").textContent = own.translation;
  draw();
  await drawStates();
}

const inspectAll = (q, translation, { source, target }) => inspect({ q, translation, source, target, kinds: KINDS });

// The head that is chosen.
function chosenHead({ num_heads: count }) {
  const index = Number(byId("head").value);
  const [layer, place] = [Math.floor(index / count), index % count];
  return { layer, place, choice: `Layer ${layer + 1}, head ${place + 1}` };
}

function draw() {
  if (!measured) return;
  const { layer, place, choice } = chosenHead(measured.architecture);
  const heads = measured.maps.encoder[layer];
  const shown = { ...measured, layer, heads, head: heads[place], choice };
  for (const [number, make] of Object.entries(FIGURES)) fill(`figure-${number}`, make(shown));
  document.body.dataset.drawn = byId("text").value;
}

// One head at a time: those of all heads would be a hundred times as many numbers.
async function drawStates() {
  const of = measured;
  if (!of?.hasStates) return hideStates();
  const { layer, place, choice } = chosenHead(of.architecture);
  const asked = { q: of.source, translation: of.translation, source: of.source_language, target: of.target_language };
  const reply = await inspect({ ...asked, kinds: ["encoder"], layers: [layer], heads: [place], states: true });
  if (of !== measured || chosenHead(of.architecture).choice !== choice) return;
  const { queries, keys, values, activations, residual_norms: norms } = reply.states;
  const shown = {
    queries: queries[0][0], keys: keys[0][0], values: values[0][0], activations: activations[0], norms,
    map: reply.encoder[0][0], tokens: reply.source_tokens, layer, choice, isPlain: isPlain(of.architecture),
  };
  for (const [number, make] of Object.entries(STATE_FIGURES)) fill(`figure-${number}-states`, make(shown));
  document.body.dataset.states = choice;
}

function hideStates() {
  for (const number of Object.keys(STATE_FIGURES)) byId(`figure-${number}-states`).hidden = true;
}

// Whether scores are products of queries and keys alone, without positions of their own.
const isPlain = ({ attention_score: score, positions }) => score === "scaled_dot" && !["relative", "rotary"].includes(positions);

function fill(id, { drawn, caption }) {
  byId(id).replaceChildren(element("div", { class: "drawn" }, drawn), element("figcaption", {}, caption));
  byId(id).hidden = false;
}

start().catch((error) => {
  document.body.classList.remove("loading");
  byId("problem").textContent = error.message;
  byId("problem").hidden = false;
});
