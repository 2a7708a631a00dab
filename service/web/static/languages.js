// The two language choosers: the source language determines the target languages.

export const AUTO = "auto";

const ENGLISH = new Intl.DisplayNames(["en"], { type: "language", fallback: "code" });

export const languageName = (code) => ENGLISH.of(code);

export class LanguageChoice {
  #languages;
  #source;
  #target;
  #swap;
  #names;

  constructor({ source, target, swap }, languages, onSwap) {
    [this.#source, this.#target, this.#swap, this.#languages] = [source, target, swap, languages];
    this.#names = new Map(languages.map(({ code, name }) => [code, name]));
    const choices = languages.map(({ code, name }) => new Option(name, code));
    if (languages.length > 1) choices.push(new Option("Detect the language", AUTO));
    source.replaceChildren(...choices);
    source.addEventListener("change", () => this.#fillTargets());
    target.addEventListener("change", () => this.#noteSwap());
    swap.addEventListener("click", () => this.#exchange(onSwap));
    this.#fillTargets();
  }

  get chosen() {
    return { source: this.#source.value, target: this.#target.value };
  }

  nameOf(code) {
    return this.#names.get(code) ?? languageName(code);
  }

  #targetsOf(code) {
    const own = this.#languages.filter((language) => code === AUTO || language.code === code);
    return [...new Set(own.flatMap((language) => language.targets))].filter((target) => target !== code);
  }

  #fillTargets(preferred = this.#target.value) {
    const targets = this.#targetsOf(this.#source.value);
    this.#target.replaceChildren(...targets.map((code) => new Option(this.nameOf(code), code)));
    if (targets.includes(preferred)) this.#target.value = preferred;
    this.#noteSwap();
  }

  #noteSwap() {
    const { source, target } = this.chosen;
    this.#swap.disabled = source === AUTO || !this.#targetsOf(target).includes(source);
  }

  #exchange(onSwap) {
    const { source, target } = this.chosen;
    this.#source.value = target;
    this.#fillTargets(source);
    onSwap();
  }
}
