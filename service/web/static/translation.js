// The translation on the page: grows part by part; its sentences can be selected.

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

  // Offsets count code points of the whole translation, as in Python; JavaScript counts UTF-16 units.
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

  // For the mouse; the keyboard moves between sentences in the inspector.
  #sentence(sentence, text) {
    const index = this.sentences.push(sentence) - 1;
    const note = sentence.finish_reason === "stop" ? "" : " unfinished";
    return element("span", { class: `sentence${note}`, click: () => this.#onChoose(index) }, text);
  }
}
