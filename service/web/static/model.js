// The page of the models: what they can, what they cannot, and where they come from.

import { byId, element } from "./element.js";
import { languageName, loadInterface, number, say } from "./interface.js";
import { loadModels } from "./service.js";

const FIGURES = { minimumFractionDigits: 1, maximumFractionDigits: 1 };

function modelSection(model) {
  const directions = model.pairs.map(({ source, target }) => `${languageName(source)} → ${languageName(target)}`);
  return element("section", { class: "model" },
    element("h2", {}, directions.join(", ")),
    element("p", { class: "hint" }, say("model.name", { name: model.name })),
    ...(model.canary.state === "ok" ? [] : [element("p", { class: "notice problem" }, say("model.failing"))]),
    ...quality(model), ...limits(model), ...origin(model));
}

// Of what is served: its precision, at its beam.
function quality(model) {
  const { quality: reports, precision, decoding } = model;
  const served = reports.filter((each) => each.precision === precision && each.beam_size === decoding.beam_size);
  const heading = element("h3", {}, say("model.quality"));
  if (!served.length) return [heading, element("p", {}, say("model.unmeasured"))];
  const head = ["model.direction", "model.set", "model.sentences", "BLEU", "chrF"].map((key) => element("th", { scope: "col" }, say(key)));
  const rows = served.map(({ pair, dataset, sentences, bleu, chrf }) => element("tr", {},
    element("td", {}, `${languageName(pair.source)} → ${languageName(pair.target)}`),
    element("td", {}, dataset), figure(number(sentences)), figure(number(bleu, FIGURES)), figure(number(chrf, FIGURES))));
  return [heading, scrolled(tableName("model.quality", model), element("table", {}, element("thead", {}, element("tr", {}, head)), element("tbody", {}, rows))),
    element("p", {}, say("model.quality.hint")), element("p", { class: "hint" }, served[0].bleu_signature)];
}

function limits(model) {
  const values = { source: model.max_source_tokens, target: model.max_target_tokens };
  const items = [
    say("model.limit.size", { count: Number((model.architecture.num_parameters / 1e6).toFixed(1)) }),
    say("model.limit.length", values),
    say("model.limit.sentence"),
    say("model.limit.mistakes"),
  ];
  return [element("h3", {}, say("model.limits")), element("ul", {}, items.map((item) => element("li", {}, item)))];
}

function origin(model) {
  const { provenance, architecture, precision, sha256 } = model;
  const rows = provenance.data.map(({ name, pairs, licence }) => element("tr", {},
    element("td", {}, name), figure(number(pairs)), element("td", {}, licence)));
  const head = ["model.source", "model.pairs", "model.licence"].map((key) => element("th", { scope: "col" }, say(key)));
  const data = rows.length
    ? [element("p", {}, say("model.licence.hint")), scrolled(tableName("model.origin", model), element("table", {}, element("thead", {}, element("tr", {}, head)), element("tbody", {}, rows)))]
    : [element("p", {}, say("model.no-data"))];
  const shape = say("model.shape", { encoder: architecture.num_encoder_layers, decoder: architecture.num_decoder_layers, width: architecture.d_model, heads: architecture.num_heads, precision });
  return [element("h3", {}, say("model.origin")), ...data,
    element("p", { class: "hint" }, shape, element("br"), say("model.digest", { created: provenance.created.slice(0, 10), digest: sha256.slice(0, 12) }))];
}

const tableName = (key, { name }) => `${say(key)}: ${name}`;

const figure = (text) => element("td", { class: "figure" }, text);

const scrolled = (name, table) => element("div", { class: "scrolled", tabindex: 0, role: "region", "aria-label": name }, table);

async function start() {
  await loadInterface();
  document.title = `Pellucid: ${say("model.title")}`;
  const models = await loadModels();
  byId("models").replaceChildren(...models.map(modelSection));
}

start().catch((error) => {
  document.body.classList.remove("loading");
  byId("models").replaceChildren(element("p", { class: "notice problem", role: "alert" }, error.message));
});
