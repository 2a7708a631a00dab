// One attention map to look at: pieces, heat map, and what they say in words.

import { element } from "./element.js";
import { percent, say } from "./interface.js";
import { heatMap } from "./heat_map.js";
import { frameOf, lensOf, light, strongest } from "./lens.js";

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
    const lines = [[say("attention.looking"), this.#queryLine], [say("attention.looked-at"), this.#keyLine]];
    this.parts = [lensOf(lines), this.#said, frameOf(this.#drawn)];
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

  #pointed(event) {
    const place = this.#drawn.at(event);
    if (place) this.#show(place.query);
  }

  #show(query) {
    this.#drawn.mark(query);
    light(this.#keyLine, this.#map[query], this.#queryLine, query);
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

function axesOf(kind, { source_tokens: source, target_tokens: target }) {
  return { cross: [target, source], encoder: [source, source], decoder: [target, target] }[kind];
}
