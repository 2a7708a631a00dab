// What the heads of a model were found to do: a sign on each thumbnail, their legend, figures of one head.

import { element } from "./element.js";
import { number, percent, say } from "./interface.js";

const SIGNS = { aligner: "⇄", previous: "←", next: "→", sink: "■", current: "•" };
const SHARES = { aligner: "on_aligned", previous: "on_previous", next: "on_next", sink: "on_sink", current: "on_current" };
const WORTH_SAYING = 0.005;

// Undefined where a model's heads were not measured.
export function reportOf(model, kind, layer, head) {
  return model?.heads?.heads.find((each) => each.kind === kind && each.layer === layer && each.head === head);
}

export function headSign(report) {
  return report?.name ? [element("span", { class: "sign", "aria-hidden": "true" }, SIGNS[report.name])] : [];
}

export const headName = (report) => (report?.name ? say(`head.${report.name}`) : "");

// Of the names that occur among the maps of a kind.
export function headLegend(model, kind) {
  const found = new Set((model?.heads?.heads ?? []).filter((each) => each.kind === kind).map(({ name }) => name));
  const names = Object.keys(SIGNS).filter((name) => found.has(name));
  if (!names.length) return [];
  const entries = names.map((name) => element("li", {},
    element("span", { class: "sign" }, SIGNS[name]), ` ${say("head.meaning", { name: say(`head.${name}`), meaning: meaning(name, kind) })}`));
  return [element("ul", { class: "signs hint", "aria-label": say("head.legend") }, entries)];
}

const meaning = (name, kind) => say(name === "sink" && kind === "decoder" ? "head.sink.start" : `head.${name}.meaning`);

// Whether word alignments are read from it, where its weight goes, and what the model loses without it.
export function headFacts(model, { kind, layer, head }) {
  const { alignment_head: aligning } = model ?? {};
  const isAligning = kind === "cross" && aligning?.layer === layer && aligning.head === head;
  return [...(isAligning ? [say("head.aligning")] : []), measured(model, reportOf(model, kind, layer, head))].join(" ");
}

function measured(model, report) {
  if (!report) return say("head.unmeasured");
  const shares = Object.entries(SHARES).filter(([, field]) => report[field] > WORTH_SAYING)
    .sort(([, a], [, b]) => report[b] - report[a])
    .map(([name, field]) => say("head.share", { name: say(`head.${name}`), share: percent(report[field]) }));
  const { dataset, sentences } = model.heads;
  const lost = say(report.bleu_lost < 0 ? "head.gained" : "head.lost", { bleu: points(Math.abs(report.bleu_lost)), dataset, count: sentences });
  return `${say("head.shares", { list: shares.join(", ") })} ${lost}`;
}

const points = (value) => number(value, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
