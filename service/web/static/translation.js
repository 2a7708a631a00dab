// The translation on the page: grows by parts, and its sentences can be chosen.

import { element } from "./element.js";

export class TranslationView {
  #root;
  #onChoose;
  #length;

  constructor(root, onChoose) {
    this.#root = root;
    this.#onChoose = onChoose;
    this.clear();
  }

  get text() {
    return this.#root.textContent;
  }

  clear() {
    this.sentences = [];
    this.#length = 0;
    this.#root.replaceChildren();
  }

  // Offsets count characters of the whole translation, as Python does and JavaScript does not.
  append(part) {
    const characters = Array.from(part.text);
    let end = 0;
    for (const sentence of part.details) {
      const [start, stop] = sentence.target_span.map((offset) => offset - this.#length);
      this.#root.append(characters.slice(end, start).join(""));
      this.#root.append(this.#sentence(sentence, characters.slice(start, stop).join("")));
      end = stop;
    }
    this.#root.append(characters.slice(end).join(""));
    this.#length += characters.length;
  }

  mark(index) {
    const spans = this.#root.querySelectorAll(".sentence");
    spans.forEach((span, place) => span.classList.toggle("chosen", place === index));
  }

  // The mouse's short cut; keys go from sentence to sentence in the inspector.
  #sentence(sentence, text) {
    const index = this.sentences.push(sentence) - 1;
    const note = sentence.finish_reason === "stop" ? "" : " unfinished";
    return element("span", { class: `sentence${note}`, click: () => this.#onChoose(index) }, text);
  }
}
