// The text pane: a text area over a mirror of its text, whose words can be lit where they stand.

import { element } from "./element.js";
import { spansOf, stretches } from "./stretches.js";
import { checkText } from "./translation.js";

export class SourcePane {
  #text;
  #mirror;
  #links;
  #shown = null;

  constructor(text, mirror, links) {
    [this.#text, this.#mirror, this.#links] = [text, mirror, links];
    text.addEventListener("input", () => this.plain());
    text.addEventListener("pointermove", (event) => this.#point(event));
    text.addEventListener("pointerleave", () => links.rest());
    document.addEventListener("selectionchange", () => this.#followCaret());
    this.plain();
  }

  // The mirror gives the pane its height, so it always holds the text.
  plain() {
    if (this.#shown === this.#text.value) return;
    this.#shown = this.#text.value;
    this.#mirror.replaceChildren(`${this.#shown}\n`);
    this.#links.forget("source");
  }

  // Cut at the sentences of a finished translation; ignored if the text has changed meanwhile.
  show(text, sentences) {
    if (text !== this.#text.value) return;
    const characters = Array.from(text);
    const children = [];
    let end = 0;
    sentences.forEach((sentence, index) => {
      const [start, stop] = sentence.source_span;
      children.push(characters.slice(end, start).join(""));
      children.push(this.#sentence(sentence, index, characters.slice(start, stop)));
      end = stop;
    });
    this.#shown = text;
    this.#mirror.replaceChildren(...children, `${characters.slice(end).join("")}\n`);
  }

  #sentence({ alignment, checks = [] }, index, characters) {
    const words = new Map();
    const root = element("span", { class: "sentence" });
    for (const { start, end, part, isWord } of stretches(characters, spansOf(alignment, "source"))) {
      const faults = checks.filter(({ source_span: span }) => span && span[0] < end && span[1] > start);
      const child = isWord ? word(part, faults) : part;
      if (isWord) words.set(start, child);
      root.append(child);
    }
    this.#links.register("source", index, root, words);
    return root;
  }

  #point({ clientX, clientY }) {
    const under = document.elementsFromPoint(clientX, clientY);
    const found = under.find((each) => this.#mirror.contains(each) && each.matches(".word, .sentence"));
    this.#text.title = found?.dataset.reason ?? "";
    if (found) this.#links.showElement(found);
    else this.#links.rest();
  }

  // The arrow keys move the caret, a tap sets it: the word at it is lit.
  #followCaret() {
    if (document.activeElement !== this.#text || this.#text.selectionStart !== this.#text.selectionEnd) return;
    const found = elementAt(this.#mirror, this.#text.selectionStart);
    if (found) this.#links.showElement(found);
    else this.#links.rest();
  }
}

function word(text, faults) {
  const reason = faults.map(checkText).join("\n") || null;
  return element("span", { class: reason ? "word checked" : "word", "data-reason": reason }, text);
}

// The word or sentence at an offset in UTF-16 units.
function elementAt(root, offset) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  let left = offset;
  while (walker.nextNode()) {
    const { length } = walker.currentNode;
    if (left <= length) return walker.currentNode.parentElement.closest(".word, .sentence");
    left -= length;
  }
  return null;
}
