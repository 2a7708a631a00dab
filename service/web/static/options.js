// Options of the page, remembered.

import { element } from "./element.js";
import { say } from "./interface.js";
import { keep, recall } from "./memory.js";

const DEFAULTS = { live: true, fast: false, unwrap: false };

export class Options {
  #values = { ...DEFAULTS, ...recall("options", {}) };

  constructor(root, onChange) {
    root.replaceChildren(...Object.keys(DEFAULTS).map((name) => this.#box(name, onChange)));
  }

  get isLive() {
    return this.#values.live;
  }

  // As fields of a request.
  get parameters() {
    return { ...(this.#values.fast && { beam_size: 1 }), ...(this.#values.unwrap && { unwrap: true }) };
  }

  // Those of a file: in all but plain text a line break is where the format has it.
  parametersOf({ name }) {
    const { unwrap, ...others } = this.parameters;
    return { ...others, ...(unwrap && name.toLowerCase().endsWith(".txt") && { unwrap }) };
  }

  #box(name, onChange) {
    const box = element("input", { type: "checkbox", change: () => {
      this.#values[name] = box.checked;
      keep("options", this.#values);
      onChange();
    } });
    box.checked = this.#values[name];
    return element("label", { class: "option" }, box, element("span", {}, say(`options.${name}`)));
  }
}
