// Why this word and not that one: two translations piece by piece, and what spoke for either of them.

import { element } from "./element.js";
import { number, say } from "./interface.js";
import { roving } from "./roving.js";

const WORTH_DRAWING = 0.0005;
const MOST_NAMED = 3;

export class ContrastView {
  #contrast;
  #own;
  #sources;
  #differences;
  #isOfToken;
  #said = element("p", { class: "readout", "aria-live": "polite" });
  #bars = element("ul", { class: "bars differences" });
  #buttons;

  // `isOfToken`: the method asks for the token itself, not for the position before it.
  constructor(reply, { isOfToken, languages }) {
    this.#contrast = reply.contrast;
    this.#own = reply.target_tokens;
    this.#sources = reply.source_tokens;
    this.#differences = reply.contrast.contributions ?? { source: reply.contrast.cross[0][0] };
    this.#isOfToken = isOfToken;
    this.#buttons = reply.contrast.steps.map((step, place) => this.#step(step, place));
    const steps = element("div", { class: "contrast-steps", role: "group", "aria-label": say("contrast.steps"), lang: languages.target }, this.#buttons);
    const stops = roving(steps, ".pair-step");
    this.parts = [element("h3", { class: "question" }, this.#title()), element("p", {}, this.#choice()), steps, this.#said, this.#bars];
    const first = reply.contrast.first_difference ?? 0;
    if (this.#buttons.length) stops.stopAt(this.#buttons[first]);
    this.#show(first);
  }

  #pair(place) {
    const { token, contrast_token: other } = this.#contrast.steps[place];
    return { own: this.#own[token] ?? "–", other: this.#contrast.target_tokens[other] ?? "–" };
  }

  #title() {
    const { first_difference: first } = this.#contrast;
    return first === null ? say("contrast.same") : say("contrast.title", this.#pair(first));
  }

  // At the first difference both have the same beginning: the difference is the choice itself.
  #choice() {
    const { first_difference: first, score_difference: whole } = this.#contrast;
    if (first === null) return "";
    const difference = this.#contrast.steps[first].score_difference;
    const { own, other } = this.#pair(first);
    const [liked, less] = difference < 0 ? [other, own] : [own, other];
    return say("contrast.choice", { liked, less, factor: factor(Math.abs(difference)), nats: nats(Math.abs(difference)), whole: signed(whole) });
  }

  #step({ score_difference: difference }, place) {
    const { own, other } = this.#pair(place);
    const isSame = own === other;
    const show = () => this.#show(place);
    const name = isSame ? say("contrast.step.same", { own }) : say("contrast.step", { own, other, nats: signed(difference) });
    return element("button", { type: "button", class: isSame ? "pair-step same" : "pair-step", tabindex: -1, "aria-label": name, "aria-pressed": "false", click: show, focus: show },
      element("span", {}, own), ...(isSame ? [] : [element("span", { class: "other" }, other)]),
      element("span", { class: "hint" }, Math.abs(difference) < 0.005 ? "0" : signed(difference)));
  }

  #show(place) {
    this.#buttons.forEach((button, each) => button.setAttribute("aria-pressed", each === place));
    const found = this.#contributions(place);
    const most = Math.max(...found.map(({ difference }) => Math.abs(difference)), WORTH_DRAWING);
    this.#bars.replaceChildren(...found.map(({ text, difference, isBefore }) => differenceBar(text, difference, most, isBefore)));
    this.#said.textContent = this.#describe(place, found);
  }

  // Of all source pieces, and of those pieces before this one that make a difference.
  #contributions(place) {
    const sources = this.#differences.source[place].map((difference, key) => ({ text: this.#sources[key], difference, isBefore: false }));
    const before = (this.#differences.target?.[place] ?? []).map((difference, key) => ({ text: key ? this.#label(key - 1) : "<s>", difference, isBefore: true }));
    return [...sources, ...before.filter(({ difference }) => Math.abs(difference) >= WORTH_DRAWING)];
  }

  #label(place) {
    const { own, other } = this.#pair(place);
    return own === other ? own : `${own} / ${other}`;
  }

  #describe(place, found) {
    const { own, other } = this.#pair(place);
    if (found.every(({ difference }) => Math.abs(difference) < WORTH_DRAWING)) {
      return say(!this.#isOfToken && place === this.#contrast.first_difference ? "contrast.shared" : "contrast.nothing", { own });
    }
    const list = (sign) => found.filter(({ difference }) => sign * difference >= WORTH_DRAWING)
      .sort((a, b) => sign * (b.difference - a.difference)).slice(0, MOST_NAMED)
      .map(({ text, difference }) => say("weighed", { text, share: points(difference) })).join(", ") || "–";
    return say(own === other ? "contrast.spoke.same" : "contrast.spoke", { own, other, more: list(1), less: list(-1) });
  }
}

function differenceBar(text, difference, most, isBefore) {
  const filled = element("span", { class: difference < 0 ? "filled less" : "filled" });
  filled.style.width = `${(50 * Math.abs(difference)) / most}%`;
  return element("li", { class: isBefore ? "before" : "" },
    element("span", { class: "piece" }, text),
    element("span", { class: "bar both", "aria-hidden": "true" }, filled),
    element("span", { class: "hint" }, points(difference)));
}

const DIGITS = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
const nats = (value) => number(value, DIGITS);
const signed = (value) => number(value, { ...DIGITS, signDisplay: "exceptZero" });
const factor = (difference) => number(Math.exp(difference), { maximumSignificantDigits: 2 });
const points = (difference) => number(100 * difference, { minimumFractionDigits: 1, maximumFractionDigits: 1, signDisplay: "exceptZero" });
