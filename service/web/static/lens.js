// Lines of words over a heat map: one is chosen in one line, and the weights of its row light up the other.

import { element } from "./element.js";
import { say } from "./interface.js";
import { roving } from "./roving.js";

const WORTH_LIGHTING = 0.01;

export const strongest = (row) => [...row.keys()].sort((a, b) => row[b] - row[a]);

// Lines are pairs of a label and words; arrow keys move over those that are buttons.
export function lensOf(lines) {
  const lens = element("div", { class: "lens" }, lines.map(([label, words]) => lineOf(label, words)));
  roving(lens, "button.word").reset();
  return lens;
}

export function frameOf(drawn) {
  return element("div", { class: "wide", tabindex: 0, role: "region", "aria-label": say("attention.map") }, drawn.root);
}

export function light(keyLine, weights, chosenLine, place) {
  keyLine.forEach((word, key) => shade(word, weights[key]));
  chosenLine.forEach((word, each) => word.classList.toggle("current", each === place));
}

function lineOf(label, words) {
  return element("p", { class: "line", role: "group", "aria-label": label }, element("span", { class: "hint" }, label), element("span", { class: "pieces", dir: "auto" }, ...words));
}

function shade(word, weight) {
  word.classList.toggle("lit", weight > WORTH_LIGHTING);
  word.style.setProperty("--weight", weight);
}
