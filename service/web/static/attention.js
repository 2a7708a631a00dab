// Attention maps of one sentence: choice of kind, layer and head, and a thumbnail of each map.

import { element } from "./element.js";
import { roving } from "./roving.js";
import { drawStamp, heatMap } from "./heat_map.js";
import { saveJson, savePng, saveSvg } from "./download.js";
import { inspect } from "./service.js";

const KINDS = {
  cross: { name: "Cross", hint: "Each row is a piece of the translation: where in the source the model looked while writing it." },
  encoder: { name: "Encoder", hint: "Each row is a piece of the source: which other pieces the model read together with it." },
  decoder: { name: "Decoder", hint: "Each row is a piece of the translation: which earlier pieces the model looked back at." },
};
const MEAN = "mean";

export class AttentionPanel {
  #sentence;
  #replies = new Map();
  #choice = { kind: "cross", isWords: false, layer: MEAN, head: MEAN };
  #root;
  #isSeen;

  constructor(root, sentence, isSeen) {
    this.#root = root;
    this.#sentence = sentence;
    this.#isSeen = isSeen;
  }

  async show() {
    if (!this.#sentence.source_tokens.length) return this.#showNothing();
    const key = this.#key;
    if (!this.#replies.has(key)) this.#replies.set(key, this.#load());
    try {
      const reply = await this.#replies.get(key);
      if (key === this.#key && this.#isSeen()) this.#draw(reply);
    } catch (error) {
      this.#replies.delete(key);
      if (key !== this.#key || !this.#isSeen()) return;
      this.#root.replaceChildren(this.#kinds(), element("p", { class: "problem", role: "alert" }, error.message));
    }
  }

  get #key() {
    return `${this.#choice.kind} ${this.#choice.isWords}`;
  }

  // The translation is not sent: translated again, the sentence gives the pieces that the model wrote,
  // which may differ from those that the tokenizer makes of the translation.
  async #load() {
    const { kind, isWords } = this.#choice;
    const { source, languages } = this.#sentence;
    const reply = await inspect({ q: source, ...languages, kinds: [kind], words: isWords });
    return reply.sentences?.[0] ?? reply;
  }

  #draw(reply) {
    const { kind } = this.#choice;
    const maps = reply[kind];
    if (!maps) return this.#showNothing();
    const focused = document.activeElement?.dataset?.keeps;
    const view = this.#view(reply, maps);
    this.#root.replaceChildren(
      this.#kinds(),
      element("p", { class: "readout" }, KINDS[kind].hint),
      this.#choosers(maps),
      ...view.parts,
      element("div", { class: "maps" },
        element("div", {}, view.frame, this.#downloads(reply, view)),
        this.#stamps(maps)),
    );
    if (focused) this.#root.querySelector(`[data-keeps="${focused}"]`)?.focus();
  }

  #showNothing() {
    const said = "Nothing here went through the model, so there is no attention to show.";
    this.#root.replaceChildren(element("p", { class: "readout" }, said));
  }

  #choose(change) {
    Object.assign(this.#choice, change);
    return this.show();
  }

  #kinds() {
    const buttons = Object.entries(KINDS).map(([kind, { name }]) => element("button", {
      type: "button", class: "segment", "aria-pressed": String(kind === this.#choice.kind), "data-keeps": kind,
      click: () => this.#choose({ kind, layer: MEAN, head: MEAN }),
    }, name));
    const group = element("div", { class: "segments", role: "group", "aria-label": "Kind of attention" }, buttons);
    const stops = roving(group, ".segment");
    stops.stopAt(group.querySelector("[aria-pressed=true]"));
    return group;
  }

  #choosers(maps) {
    const words = element("input", {
      type: "checkbox", "data-keeps": "words", change: () => this.#choose({ isWords: words.checked }),
    });
    words.checked = this.#choice.isWords;
    return element("div", { class: "choosers" },
      this.#chooser("Layer", "layer", maps.length),
      this.#chooser("Head", "head", maps[0].length),
      element("label", {}, words, " Whole words"));
  }

  #chooser(label, name, count) {
    const options = [new Option(`mean of ${count}`, MEAN), ...range(count).map((n) => new Option(n, n))];
    const select = element("select", { "data-keeps": name, change: () => this.#choose({ [name]: select.value }) }, options);
    select.value = this.#choice[name];
    return element("label", {}, `${label} `, select);
  }

  #view(reply, maps) {
    const [queries, keys] = axesOf(this.#choice.kind, reply);
    const map = mean(picked(maps, this.#choice.layer).flatMap((layer) => picked(layer, this.#choice.head)));
    const drawn = heatMap({ map, queries, keys, title: this.#title() });
    const said = element("p", { class: "readout", "aria-live": "polite" }, "Point at a row, or move through the pieces with the arrow keys.");
    const keyLine = keys.map((text) => element("span", { class: "word" }, text));

    const show = (query) => {
      drawn.mark(query);
      keyLine.forEach((word, key) => shade(word, map[query][key]));
      queryLine.forEach((word, place) => word.classList.toggle("current", place === query));
      said.textContent = describe(queries[query], keys, map[query]);
    };
    const queryLine = queries.map((text, query) => element("button", {
      type: "button", class: "word", tabindex: -1, focus: () => show(query), pointerenter: () => show(query), click: () => show(query),
    }, text));
    drawn.root.addEventListener("pointermove", (event) => {
      const place = drawn.at(event);
      if (place) show(place.query);
    });
    const lens = element("div", { class: "lens" },
      lensLine("Looking", queryLine), lensLine("Looked at", keyLine));
    roving(lens, "button.word").reset();
    const frame = element("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "Heat map" }, drawn.root);
    return { parts: [lens, said], frame, picture: drawn.root };
  }

  #title() {
    const { kind, layer, head } = this.#choice;
    const part = (name, value) => (value === MEAN ? `mean over ${name}s` : `${name} ${value}`);
    return `${KINDS[kind].name} attention, ${part("layer", layer)}, ${part("head", head)}`;
  }

  #downloads(reply, { picture }) {
    const { kind, layer, head } = this.#choice;
    const name = `attention-${kind}-layer-${layer}-head-${head}`;
    const button = (label, click) => element("button", { type: "button", class: "quiet", click, "data-keeps": label }, label);
    return element("div", { class: "downloads", role: "group", "aria-label": "Download" }, "Download ",
      button("PNG", () => savePng(name, picture)),
      button("SVG", () => saveSvg(name, picture)),
      button("JSON", () => saveJson(name, reply)));
  }

  #stamps(maps) {
    const rows = maps.map((layer, l) => element("div", { class: "stamp-row" },
      element("span", { class: "hint" }, `Layer ${l}`), ...layer.map((map, h) => this.#stamp(map, l, h))));
    const group = element("div", { class: "stamps", role: "group", "aria-label": "All layers and heads" }, rows);
    const stops = roving(group, ".stamp", () => maps[0].length);
    const pressed = group.querySelector("[aria-pressed=true]");
    if (pressed) stops.stopAt(pressed);
    else stops.reset();
    return element("div", {}, element("h3", {}, "All heads"), group);
  }

  #stamp(map, layer, head) {
    const isChosen = String(layer) === String(this.#choice.layer) && String(head) === String(this.#choice.head);
    const canvas = element("canvas", { "aria-hidden": "true" });
    requestAnimationFrame(() => drawStamp(canvas, map));
    return element("button", {
      type: "button", class: "stamp", tabindex: -1, "aria-label": `Layer ${layer}, head ${head}`, title: `Layer ${layer}, head ${head}`,
      "aria-pressed": String(isChosen), "data-keeps": `stamp-${layer}-${head}`,
      click: () => this.#choose({ layer: String(layer), head: String(head) }),
    }, canvas);
  }
}

function axesOf(kind, { source_tokens: source, target_tokens: target }) {
  return { cross: [target, source], encoder: [source, source], decoder: [target, target] }[kind];
}

const range = (count) => [...Array(count).keys()];
const picked = (items, choice) => (choice === MEAN ? items : [items[Number(choice)]]);

function mean(maps) {
  return maps[0].map((row, y) => row.map((_, x) => maps.reduce((sum, map) => sum + map[y][x], 0) / maps.length));
}

function lensLine(label, words) {
  return element("p", { class: "line", role: "group", "aria-label": label }, element("span", { class: "hint" }, label), element("span", { class: "pieces" }, ...words));
}

function shade(word, weight) {
  word.classList.toggle("lit", weight > 0.01);
  word.style.setProperty("--weight", weight);
}

function describe(query, keys, row) {
  const strongest = range(row.length).sort((a, b) => row[b] - row[a]).slice(0, 3);
  const places = strongest.map((key) => `“${keys[key]}” (${Math.round(100 * row[key])} %)`);
  return `“${query}” looked most at ${places.join(", ")}.`;
}
