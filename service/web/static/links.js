// What belongs together in the two panes: lights a word or sentence and its partner.

const WEAKEST_SHADE = 0.15;
const OTHER = { source: "target", target: "source" };

export class Links {
  #places = new Map(); // element -> { side, index, start }
  #sides = { source: [], target: [] }; // index -> { root, words }
  #alignments = [];
  #lit = new Set();
  #pinned = null;
  #held = null;

  forget(side) {
    this.rest();
    this.#sides[side] = [];
  }

  align(index, alignment) {
    this.#alignments[index] = alignment ?? [];
  }

  register(side, index, root, words) {
    this.#sides[side][index] = { root, words };
    this.#places.set(root, { side, index, start: null });
    for (const [start, word] of words) this.#places.set(word, { side, index, start });
  }

  placeOf(element) {
    return this.#places.get(element);
  }

  showElement(element) {
    const place = this.#places.get(element);
    if (place && this.#sides[place.side][place.index]) this.show(place);
  }

  show({ side, index, start }) {
    this.#clear();
    for (const each of ["source", "target"]) this.#light(this.#sides[each][index]?.root, "near");
    if (start === null) return;
    this.#light(this.#sides[side][index]?.words.get(start), "lit", 1);
    const mine = (this.#alignments[index] ?? []).filter((link) => link[side][0] === start);
    for (const link of mine) {
      const partner = this.#sides[OTHER[side]][index]?.words.get(link[OTHER[side]][0]);
      this.#light(partner, "lit", Math.max(WEAKEST_SHADE, link.weight));
    }
  }

  // What stays lit when nothing is pointed at: the sentence in the inspector, or nothing.
  pin(index) {
    this.#pinned = index;
    this.rest();
  }

  // What stays lit while its alternatives are shown, or nothing.
  hold(place) {
    this.#held = place;
    this.rest();
  }

  rest() {
    this.#clear();
    if (this.#held) return this.show(this.#held);
    if (this.#pinned === null) return;
    for (const side of ["source", "target"]) this.#light(this.#sides[side][this.#pinned]?.root, "near");
  }

  #light(element, name, weight = 1) {
    if (!element) return;
    element.classList.add(name);
    element.style.setProperty("--weight", weight);
    this.#lit.add(element);
  }

  #clear() {
    for (const each of this.#lit) each.classList.remove("near", "lit");
    this.#lit.clear();
  }
}
