// Attention maps of one sentence: choice of kind, layer and head, a thumbnail of each map, and
// another translation of the sentence beside it.

import { AttentionView } from "./attention_view.js";
import { element } from "./element.js";
import { number, say } from "./interface.js";
import { roving } from "./roving.js";
import { drawStamp, legend } from "./heat_map.js";
import { downloads } from "./download.js";
import { headFacts, headLegend, headName, headSign, reportOf } from "./heads.js";
import { modelOf } from "./models.js";
import { headTitle, WithoutHeads } from "./without_heads.js";
import { inspect, translate } from "./service.js";

const KINDS = ["cross", "encoder", "decoder"];
const MEAN = "mean";
const NUM_OTHERS = 4;

export class AttentionPanel {
  #inspection;
  #sentence;
  #replies = new Map();
  #choice = { kind: "cross", isWords: false, layer: MEAN, head: MEAN, other: "" };
  #others = null;
  #model = null;
  #without;
  #root;

  constructor(root, inspection) {
    this.#root = root;
    this.#inspection = inspection;
    this.#sentence = inspection.sentence;
    this.#without = new WithoutHeads(inspection, () => this.show());
  }

  async show() {
    if (!this.#sentence.source_tokens.length) return this.#showNothing();
    const key = this.#key;
    try {
      const shown = [this.#own, ...(this.#choice.other ? [this.#choice.other] : [])];
      const described = modelOf(this.#sentence.languages).catch(() => null);
      const [model, ...replies] = await Promise.all([described, ...shown.map((each) => this.#reply(each))]);
      this.#model = model;
      if (key === this.#key && this.#inspection.isSeen) this.#draw(...replies);
    } catch (error) {
      if (key === this.#key && this.#inspection.isSeen) this.#showProblem(error);
    }
  }

  get #key() {
    const { kind, isWords, other } = this.#choice;
    return JSON.stringify([kind, isWords, other]);
  }

  // Of a translation that was chosen by hand, its text has to be sent. Otherwise it is not: translated
  // again, the sentence gives the pieces that the model wrote, which may differ from the tokenizer's.
  get #own() {
    return this.#sentence.isChosen ? this.#sentence.translation : null;
  }

  async #reply(translation) {
    const { kind, isWords } = this.#choice;
    const key = JSON.stringify([kind, isWords, translation]);
    if (!this.#replies.has(key)) this.#replies.set(key, this.#load(translation));
    try {
      return await this.#replies.get(key);
    } catch (error) {
      this.#replies.delete(key);
      throw error;
    }
  }

  async #load(translation) {
    const { kind, isWords } = this.#choice;
    const given = translation === null ? {} : { translation };
    const reply = await inspect(this.#inspection.question({ kinds: [kind], words: isWords, ...given }));
    return reply.sentences?.[0] ?? reply;
  }

  #draw(reply, other) {
    const maps = reply[this.#choice.kind];
    if (!maps) return this.#showNothing();
    const focused = document.activeElement?.dataset?.keeps;
    const views = [reply, other].filter((each) => each?.[this.#choice.kind]).map((each) => this.#view(each));
    this.#root.replaceChildren(
      element("div", { class: "controls" }, this.#kinds(), this.#choosers(maps)),
      element("p", { class: "readout" }, say(`attention.${this.#choice.kind}.hint`)),
      element("div", { class: views.length > 1 ? "" : "maps" },
        element("div", {},
          element("div", { class: views.length > 1 ? "pair" : "" }, views.map((view, place) => this.#column(view, place, views.length))),
          legend(), this.#downloads(reply, views[0])),
        element("div", {}, ...this.#stamps(maps), ...headLegend(this.#model, this.#choice.kind), ...this.#head(reply), this.#without.root)),
      about(),
    );
    if (focused) this.#root.querySelector(`[data-keeps="${focused}"]`)?.focus();
  }

  #view(reply) {
    const { kind, layer, head } = this.#choice;
    const map = mean(picked(reply[kind], layer).flatMap((each) => picked(each, head)));
    return new AttentionView({ kind, map, reply, title: this.#title() });
  }

  #column(view, place, count) {
    const name = place ? this.#choice.other : this.#sentence.translation;
    const heading = count > 1 ? [element("h3", { lang: this.#sentence.languages.target }, name)] : [];
    return element("div", {}, ...heading, ...view.parts);
  }

  #showNothing() {
    this.#root.replaceChildren(element("p", { class: "readout" }, say("nothing.attention")));
  }

  #showProblem(error) {
    this.#root.replaceChildren(this.#kinds(), element("p", { class: "problem", role: "alert" }, error.message));
  }

  #choose(change) {
    Object.assign(this.#choice, change);
    return this.show();
  }

  #kinds() {
    const buttons = KINDS.map((kind) => element("button", {
      type: "button", class: "segment", "aria-pressed": String(kind === this.#choice.kind), "data-keeps": kind,
      click: () => this.#choose({ kind, layer: MEAN, head: MEAN }),
    }, say(`attention.${kind}`)));
    const group = element("div", { class: "segments", role: "group", "aria-label": say("attention.kinds") }, buttons);
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
      this.#chooser("layer", maps.length),
      this.#chooser("head", maps[0].length),
      element("label", {}, words, ` ${say("attention.whole-words")}`),
      this.#comparison());
  }

  #chooser(name, count) {
    const numbers = range(count).map((index) => {
      const option = new Option(number(index + 1), index);
      option.title = `${name}s=[${index}]`;
      return option;
    });
    const options = [new Option(say("attention.mean", { count }), MEAN), ...numbers];
    const select = element("select", { "data-keeps": name, change: () => this.#choose({ [name]: select.value }) }, options);
    select.value = this.#choice[name];
    return element("label", {}, `${say(`attention.${name}`)} `, select);
  }

  #comparison() {
    if (!this.#others) {
      return element("button", { type: "button", class: "quiet", "data-keeps": "compare", click: () => this.#findOthers() }, say("attention.compare"));
    }
    const options = [new Option(say("attention.alone"), ""), ...this.#others.map((text) => new Option(text, text))];
    const select = element("select", { "data-keeps": "compare", change: () => this.#choose({ other: select.value }) }, options);
    select.value = this.#choice.other;
    return element("label", { class: "comparison" }, `${say("attention.beside")} `, select);
  }

  async #findOthers() {
    const { translation } = this.#sentence;
    try {
      const reply = await translate(this.#inspection.question({ alternatives: NUM_OTHERS }));
      const texts = new Set([reply.translatedText, ...reply.alternatives]);
      texts.delete(translation);
      this.#others = [...texts];
      await this.#choose({ other: this.#others[0] ?? "" });
    } catch (error) {
      this.#showProblem(error);
    }
  }

  #title() {
    const { kind, layer, head } = this.#choice;
    const part = (name, value) => (value === MEAN ? say(`attention.mean-over-${name}s`) : say(`attention.${name}-number`, { index: Number(value) + 1 }));
    return say("attention.title", { kind: say(`attention.${kind}`), layer: part("layer", layer), head: part("head", head) });
  }

  #downloads(reply, { picture }) {
    const { kind, layer, head } = this.#choice;
    const counted = (value) => (value === MEAN ? value : Number(value) + 1);
    return downloads(`attention-${kind}-layer-${counted(layer)}-head-${counted(head)}`, reply, picture);
  }

  #stamps(maps) {
    const rows = maps.map((layer, l) => element("div", { class: "stamp-row" },
      element("span", { class: "hint", title: `layers=[${l}]` }, say("attention.layer-number", { index: l + 1 })),
      ...layer.map((map, h) => this.#stamp(map, l, h))));
    const group = element("div", { class: "stamps", role: "group", "aria-label": say("attention.all") }, rows);
    const stops = roving(group, ".stamp", () => maps[0].length);
    const pressed = group.querySelector("[aria-pressed=true]");
    if (pressed) stops.stopAt(pressed);
    else stops.reset();
    return [element("h3", {}, say("attention.all")), group];
  }

  // Of one head: what it was found to do, and a switch for it. A recurrence has none to be switched off.
  #head({ decoder_cell: recurrence }) {
    const { kind, layer, head } = this.#choice;
    if (layer === MEAN || head === MEAN) return [];
    const place = [kind, Number(layer), Number(head)];
    const report = reportOf(this.#model, ...place);
    const isOff = this.#without.has(...place);
    const toggle = element("button", {
      type: "button", class: "quiet", "aria-pressed": String(isOff), "data-keeps": "without", click: () => this.#without.toggle(...place),
    }, say("without.toggle"));
    return [element("div", { class: "head" },
      element("h3", {}, report?.name ? say("head.title", { head: headTitle(...place), name: headName(report) }) : headTitle(...place)),
      element("p", { class: "hint" }, headFacts(this.#model, { kind, layer: place[1], head: place[2] })),
      ...(recurrence ? [] : [toggle]))];
  }

  // Counted from 1 for people; the tooltip has the indices of the API.
  #stamp(map, layer, head) {
    const { kind } = this.#choice;
    const isChosen = String(layer) === String(this.#choice.layer) && String(head) === String(this.#choice.head);
    const isOff = this.#without.has(kind, layer, head);
    const report = reportOf(this.#model, kind, layer, head);
    const canvas = element("canvas", { "aria-hidden": "true" });
    requestAnimationFrame(() => drawStamp(canvas, map));
    const name = [say("attention.stamp", { layer: layer + 1, head: head + 1 }), headName(report), isOff ? say("without.off") : ""];
    return element("button", {
      type: "button", class: isOff ? "stamp off" : "stamp", tabindex: -1, title: `layers=[${layer}], heads=[${head}]`,
      "aria-label": name.filter(Boolean).join(", "),
      "aria-pressed": String(isChosen), "data-keeps": `stamp-${layer}-${head}`,
      click: () => this.#choose({ layer: String(layer), head: String(head) }),
    }, canvas, ...headSign(report));
  }
}

const range = (count) => [...Array(count).keys()];
const picked = (items, choice) => (choice === MEAN ? items : [items[Number(choice)]]);

function mean(maps) {
  return maps[0].map((row, y) => row.map((_, x) => maps.reduce((sum, map) => sum + map[y][x], 0) / maps.length));
}

function about() {
  const link = element("a", { href: say("attention.about.address"), rel: "noreferrer", target: "_blank" }, say("attention.about.link"));
  return element("p", { class: "hint about" }, `${say("attention.about")} `, link);
}
