// What each piece of a translation comes from: shares of the source and of the pieces before it.

import { element } from "./element.js";
import { heatMap } from "./heat_map.js";
import { percent, say } from "./interface.js";
import { frameOf, lensOf, light, strongest } from "./lens.js";

const MOST_NAMED = 3;
const WORTH_SAYING = 0.005;

export class ContributionsView {
  #rows;
  #sources;
  #prefixes;
  #sourceShares;
  #targets;
  #drawn;
  #said = element("p", { class: "readout", "aria-live": "polite" }, say("causes.point"));
  #targetLine;
  #keyLine;

  // Attention has no shares of earlier pieces, and so no share of the source.
  constructor(reply, title) {
    const { source, target, prefix_tokens: prefixes = [], source_share: shares = null } = reply.contributions ?? { source: reply.cross[0][0] };
    [this.#sources, this.#targets, this.#prefixes] = [reply.source_tokens, reply.target_tokens, prefixes];
    this.#rows = source.map((row, place) => [...row, ...(target?.[place] ?? [])]);
    this.#sourceShares = shares;
    const keys = [...this.#sources, ...prefixes];
    this.#drawn = heatMap({ map: this.#rows, queries: this.#targets, keys, title, split: prefixes.length ? this.#sources.length : null });
    this.#keyLine = keys.map((text) => element("span", { class: "word" }, text));
    this.#targetLine = this.#targets.map((text, place) => this.#piece(text, place));
    this.#drawn.root.addEventListener("pointermove", (event) => this.#pointed(event));
    this.#drawn.root.addEventListener("click", (event) => this.#pointed(event));
    this.parts = [this.#lens(), this.#said, frameOf(this.#drawn)];
  }

  get picture() {
    return this.#drawn.root;
  }

  #piece(text, place) {
    const show = () => this.#show(place);
    const share = this.#sourceShares?.[place];
    const name = share === undefined ? null : say("causes.share", { text, share: percent(share) });
    return element("button", {
      type: "button", class: "word shared", tabindex: -1, "aria-label": name, title: name, focus: show, pointerenter: show, click: show,
    }, element("span", {}, text), ...(share === undefined ? [] : [shareBar(share)]));
  }

  #lens() {
    const count = this.#sources.length;
    const lines = [[say("causes.pieces"), this.#targetLine], [say("causes.from-source"), this.#keyLine.slice(0, count)]];
    if (this.#prefixes.length) lines.push([say("causes.from-before"), this.#keyLine.slice(count)]);
    return lensOf(lines);
  }

  #pointed(event) {
    const place = this.#drawn.at(event);
    if (place) this.#show(place.query);
  }

  #show(place) {
    this.#drawn.mark(place);
    light(this.#keyLine, this.#rows[place], this.#targetLine, place);
    this.#said.textContent = this.#describe(place);
  }

  #describe(place) {
    const text = this.#targets[place];
    const [row, count] = [this.#rows[place], this.#sources.length];
    const named = (keys, names) => keys.filter((key) => row[key] > WORTH_SAYING).slice(0, MOST_NAMED)
      .map((key) => say("weighed", { text: names(key), share: percent(row[key]) })).join(", ");
    const ordered = strongest(row);
    const sources = named(ordered.filter((key) => key < count), (key) => this.#sources[key]);
    if (!this.#sourceShares) return say("attention.looked-most", { text, list: sources });
    const before = named(ordered.filter((key) => key >= count), (key) => this.#prefixes[key - count]);
    const said = say("causes.came", { text, share: percent(this.#sourceShares[place]), list: sources });
    return before ? `${said} ${say("causes.rest", { list: before })}` : said;
  }
}

function shareBar(share) {
  const filled = element("span", { class: "filled" });
  filled.style.width = `${100 * share}%`;
  return element("span", { class: "bar", "aria-hidden": "true" }, filled);
}
