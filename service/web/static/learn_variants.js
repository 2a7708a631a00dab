// Curves of networks that were trained with one part changed, and what they can in the end.

import { element } from "./element.js";
import { figure, lines } from "./learn_charts.js";

// By number of the group: charts, each with the variants that it compares.
const CHARTS = {
  1: [["as it is", "no scale"]],
  2: [["as it is", "one head"]],
  3: [["as it is", "x xᵀ for Q and K"]],
  5: [["as it is", "no causal mask"]],
  8: [["as it is", "no positions", "plain numbers as positions"]],
  9: [["as it is", "no residual, 2 layers"], ["6 layers", "no residual, 6 layers"], ["as it is", "weights 4 times as large", "weights 10 times as small"]],
  10: [["as it is", "BatchNorm"]],
  11: [["as it is", "no activation", "sigmoid"]],
  13: [["6 layers", "6 layers, no warm-up"]],
};

// A figure, or nothing where no variant belongs to the group.
export function trained(number, { variants, seed, command }) {
  const charts = CHARTS[number] ?? [];
  if (!charts.length) return [];
  const named = [...new Set(charts.flat())];
  const drawn = charts.map((names) => lines({
    title: `Training loss: ${names.join(", ")}`,
    series: names.map((name) => ({ name, points: variants[name].losses })),
    x: "step", y: "loss in nats per token",
  }));
  const results = named.flatMap((name, i) => [i ? "; " : "", `${name} `, figure(`accuracy-${number}-${name}`, variants[name].accuracy * 100), " %"]);
  return [element("figure", { class: "trained" },
    element("h3", {}, "Trained: give 3 to 7 tokens back reversed"),
    element("div", { class: "drawn" }, drawn),
    element("figcaption", {}, "Unseen sequences without a mistake: ", ...results, `. Seed ${seed}, two layers of width 64 on each side unless named. `, element("code", {}, command)))];
}
