// The two language choosers: the source is detected unless it is chosen.

import { languageName, locale, say } from "./interface.js";
import { keep, recall } from "./memory.js";

export const AUTO = "auto";

export class LanguageChoice {
  #languages;
  #source;
  #target;
  #swap;
  #onChange;
  #detected = null;
  #isTargetChosen = false;

  constructor({ source, target, swap }, languages, { onChange, onSwap }) {
    [this.#source, this.#target, this.#swap, this.#languages] = [source, target, swap, languages];
    this.#onChange = onChange;
    source.replaceChildren(new Option(say("detect"), AUTO), ...options(languages.map(({ code }) => code)));
    const kept = recall("languages", {});
    if (languages.some(({ code }) => code === kept.source)) source.value = kept.source;
    this.#isTargetChosen = Boolean(kept.target);
    this.#fillTargets(kept.target ?? locale);
    source.addEventListener("change", () => this.#chooseSource());
    target.addEventListener("change", () => this.#chooseTarget());
    swap.addEventListener("click", () => this.swap(onSwap));
  }

  get chosen() {
    return { source: this.#source.value, target: this.#target.value };
  }

  // Whether the person at the page named the target, rather than the page.
  get isTargetChosen() {
    return this.#isTargetChosen;
  }

  get sources() {
    return this.#languages.map(({ code }) => code);
  }

  // The language that the text is in, as far as it is known.
  get source() {
    return this.#source.value === AUTO ? this.#detected : this.#source.value;
  }

  targetsOf(code) {
    const own = this.#languages.filter((language) => code === AUTO || language.code === code);
    return [...new Set(own.flatMap((language) => language.targets))].filter((target) => target !== code);
  }

  noteDetected(code) {
    this.#detected = code;
    const label = code ? say("detected", { language: languageName(code) }) : say("detect");
    this.#source.querySelector(`[value=${AUTO}]`).textContent = label;
    this.#noteSwap();
  }

  choose({ source, target }, { isByPage = false } = {}) {
    if (source && [AUTO, ...this.sources].includes(source)) this.#source.value = source;
    this.#fillTargets(target);
    if (!isByPage) this.#keep();
    this.#onChange();
  }

  swap(onSwap) {
    const [source, target] = [this.source, this.#target.value];
    this.#source.value = this.#source.value === AUTO ? AUTO : target;
    this.#fillTargets(source);
    this.#keep();
    onSwap();
  }

  #chooseSource() {
    this.noteDetected(null);
    this.#fillTargets();
    this.#keep();
    this.#onChange();
  }

  #chooseTarget() {
    this.#noteSwap();
    this.#keep();
    this.#onChange();
  }

  #keep() {
    this.#isTargetChosen = true;
    keep("languages", this.chosen);
  }

  #fillTargets(preferred = this.#target.value) {
    const targets = this.targetsOf(this.#source.value);
    this.#target.replaceChildren(...options(targets));
    if (targets.includes(preferred)) this.#target.value = preferred;
    this.#noteSwap();
  }

  #noteSwap() {
    this.#swap.disabled = !this.source || !this.targetsOf(this.#target.value).includes(this.source);
  }
}

function options(codes) {
  const named = codes.map((code) => [languageName(code), code]);
  return named.sort(([a], [b]) => a.localeCompare(b, locale)).map(([name, code]) => new Option(name, code));
}
