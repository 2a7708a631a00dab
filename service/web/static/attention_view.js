// One attention map to look at: pieces, heat map, and what they say in words.

import { element } from "./element.js";
import { percent, say } from "./interface.js";
import { heatMap } from "./heat_map.js";
import { roving } from "./roving.js";

export class AttentionView {
  #map;
  #queries;
  #keys;
  #drawn;
  #said = element("p", { class: "readout", "aria-live": "polite" }, say("attention.point"));
  #queryLine;
  #keyLine;
  #pinned = null;

  constructor({ kind, map, reply, title }) {
    this.#map = map;
    [this.#queries, this.#keys] = axesOf(kind, reply);
    this.#drawn = heatMap({ map, queries: this.#queries, keys: this.#keys, title });
    this.#keyLine = this.#keys.map((text) => element("span", { class: "word" }, text));
    this.#queryLine = this.#queries.map((text, query) => this.#query(text, query));
    this.#drawn.root.addEventListener("pointermove", (event) => this.#pointed(event));
    this.#drawn.root.addEventListener("click", (event) => this.#pin(this.#drawn.at(event)));
    this.parts = [this.#lens(), this.#said, this.#frame()];
  }

  get picture() {
    return this.#drawn.root;
  }

  #query(text, query) {
    const show = () => this.#show(query);
    return element("button", {
      type: "button", class: "word", tabindex: -1, focus: show, pointerenter: show,
      click: () => this.#pin({ query, key: strongest(this.#map[query])[0] }),
    }, text);
  }

  #lens() {
    const lens = element("div", { class: "lens" },
      lensLine(say("attention.looking"), this.#queryLine), lensLine(say("attention.looked-at"), this.#keyLine));
    roving(lens, "button.word").reset();
    return lens;
  }

  #frame() {
    return element("div", { class: "wide", tabindex: 0, role: "region", "aria-label": say("attention.map") }, this.#drawn.root);
  }

  #pointed(event) {
    const place = this.#drawn.at(event);
    if (place) this.#show(place.query);
  }

  #show(query) {
    this.#drawn.mark(query);
    this.#keyLine.forEach((word, key) => shade(word, this.#map[query][key]));
    this.#queryLine.forEach((word, place) => word.classList.toggle("current", place === query));
    this.#said.textContent = this.#describe(query) + this.#pinnedText();
  }

  // A cell stays marked until it is chosen again.
  #pin(place) {
    const isSame = place && this.#pinned && place.query === this.#pinned.query && place.key === this.#pinned.key;
    this.#pinned = isSame ? null : place;
    this.#drawn.pin(this.#pinned);
    if (place) this.#show(place.query);
  }

  #pinnedText() {
    if (!this.#pinned) return "";
    const { query, key } = this.#pinned;
    return ` ${say("attention.pinned", { query: this.#queries[query], key: this.#keys[key], share: percent(this.#map[query][key]) })}`;
  }

  #describe(query) {
    const row = this.#map[query];
    const places = strongest(row).slice(0, 3).map((key) => say("weighed", { text: this.#keys[key], share: percent(row[key]) }));
    return say("attention.looked-most", { text: this.#queries[query], list: places.join(", ") });
  }
}

export const strongest = (row) => [...row.keys()].sort((a, b) => row[b] - row[a]);

function axesOf(kind, { source_tokens: source, target_tokens: target }) {
  return { cross: [target, source], encoder: [source, source], decoder: [target, target] }[kind];
}

export function lensLine(label, words) {
  return element("p", { class: "line", role: "group", "aria-label": label }, element("span", { class: "hint" }, label), element("span", { class: "pieces" }, ...words));
}

export function shade(word, weight) {
  word.classList.toggle("lit", weight > 0.01);
  word.style.setProperty("--weight", weight);
}
