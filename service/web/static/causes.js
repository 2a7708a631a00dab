// What each piece of a translation comes from, by a method of the reader's choice; or, against another
// translation, what spoke for this one.

import { ContrastView } from "./contrast_view.js";
import { ContributionsView } from "./contributions_view.js";
import { downloads } from "./download.js";
import { element } from "./element.js";
import { legend } from "./heat_map.js";
import { say } from "./interface.js";
import { modelOf } from "./models.js";
import { bringIntoRow, roving } from "./roving.js";
import { inspect } from "./service.js";

// Those that name sources best come first (docs/decisions/0073).
const METHODS = ["alti", "value_zeroing", "occlusion", "rollout", "attention"];
const MAPS = { kinds: ["cross"], reduce: "all" };
// It alone explains the token itself, and so the choice between two.
const OF_TOKEN = "occlusion";

export class CausesPanel {
  #root;
  #inspection;
  #methods = [];
  #choice;
  #replies = new Map();

  constructor(root, inspection) {
    [this.#root, this.#inspection] = [root, inspection];
    const { contrast = "" } = inspection.wanted;
    this.#choice = { method: contrast ? OF_TOKEN : null, isWords: true, contrast };
  }

  async show() {
    const { sentence } = this.#inspection;
    if (!sentence.source_tokens.length) return this.#root.replaceChildren(element("p", { class: "readout" }, say("nothing.causes")));
    try {
      await this.#findMethods();
      await this.#showMethod();
    } catch (error) {
      if (this.#inspection.isSeen) this.#frame(element("p", { class: "problem", role: "alert" }, error.message));
    }
  }

  async #findMethods() {
    if (this.#methods.length) return;
    const model = await modelOf(this.#inspection.sentence.languages);
    const known = model?.methods ?? ["attention"];
    this.#methods = METHODS.filter((method) => known.includes(method));
    this.#choice.method ??= this.#methods[0];
  }

  async #showMethod() {
    const key = this.#key;
    if (!this.#replies.has(key)) this.#frame(element("p", { class: "readout waiting", role: "status" }, say("causes.working")));
    try {
      const reply = await this.#reply(key);
      if (key === this.#key && this.#inspection.isSeen) this.#draw(reply);
    } catch (error) {
      this.#replies.delete(key);
      if (key === this.#key) throw error;
    }
  }

  get #key() {
    return JSON.stringify(this.#choice);
  }

  #reply(key) {
    if (!this.#replies.has(key)) this.#replies.set(key, this.#load());
    return this.#replies.get(key);
  }

  // A contrast has both translations cut by the tokenizer; else the model's own pieces are explained.
  async #load() {
    const { method, isWords, contrast } = this.#choice;
    const { translation, isChosen } = this.#inspection.sentence;
    const asked = method === "attention" ? MAPS : { method };
    const given = { ...((contrast || isChosen) && { translation }), ...(contrast && { contrast }) };
    const reply = await inspect(this.#inspection.question({ ...asked, ...given, words: isWords }));
    return reply.sentences?.[0] ?? reply;
  }

  #draw(reply) {
    const { method, contrast } = this.#choice;
    if (contrast) {
      const view = new ContrastView(reply, { isOfToken: method === OF_TOKEN, languages: this.#inspection.sentence.languages });
      return this.#frame(...view.parts, about(method), downloads(`contrast-${method}`, reply));
    }
    const view = new ContributionsView(reply, say("causes.title", { method: say(`method.${method}`) }));
    const explained = reply.contributions ? [element("p", { class: "hint" }, `${say("causes.share.hint")} ${say(`method.${method}.share`)}`)] : [];
    this.#frame(about(method), ...view.parts, legend(), ...explained, element("p", { class: "hint" }, say("causes.contrast.hint")),
      downloads(`causes-${method}`, reply, view.picture));
  }

  #frame(...content) {
    const focused = this.#root.contains(document.activeElement) ? document.activeElement.dataset.keeps : null;
    this.#root.replaceChildren(
      element("div", { class: "controls" }, this.#chooser(), this.#wholeWords(), ...this.#leave()), ...content);
    const pressed = this.#root.querySelector(".segment[aria-pressed=true]");
    if (pressed) bringIntoRow(pressed);
    if (focused) this.#root.querySelector(`[data-keeps="${focused}"]`)?.focus();
  }

  #choose(change) {
    Object.assign(this.#choice, change);
    return this.show();
  }

  #chooser() {
    const buttons = this.#methods.map((method) => element("button", {
      type: "button", class: "segment", "aria-pressed": String(method === this.#choice.method), "data-keeps": method,
      click: () => this.#choose({ method }),
    }, say(`method.${method}`)));
    const group = element("div", { class: "segments", role: "group", "aria-label": say("causes.methods") }, buttons);
    const stops = roving(group, ".segment");
    const pressed = group.querySelector("[aria-pressed=true]");
    if (pressed) stops.stopAt(pressed);
    return group;
  }

  #wholeWords() {
    const box = element("input", { type: "checkbox", "data-keeps": "words", change: () => this.#choose({ isWords: box.checked }) });
    box.checked = this.#choice.isWords;
    return element("label", {}, box, ` ${say("attention.whole-words")}`);
  }

  #leave() {
    if (!this.#choice.contrast) return [];
    const leave = () => this.#choose({ contrast: "", method: this.#methods[0] });
    return [element("button", { type: "button", class: "quiet", click: leave }, say("contrast.leave"))];
  }
}

// What a method is, who published it, and where it is documented.
function about(method) {
  const link = (key, address) => element("a", { href: address, rel: "noreferrer", target: "_blank" }, say(key));
  return element("p", { class: "hint method" }, `${say(`method.${method}.about`)} `,
    link(`method.${method}.paper`, say(`method.${method}.address`)), " · ", link("causes.api", "docs#attention"));
}
