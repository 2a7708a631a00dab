// Heads of attention that are switched off, and what the model makes of the sentence without them.

import { element } from "./element.js";
import { number, say } from "./interface.js";
import { compare, score, translate } from "./service.js";

export class WithoutHeads {
  #inspection;
  #heads = new Map();
  #onChange;
  root = element("div", { class: "without", "aria-live": "polite" });

  constructor(inspection, onChange) {
    [this.#inspection, this.#onChange] = [inspection, onChange];
  }

  has(...head) {
    return this.#heads.has(head.join());
  }

  async toggle(...head) {
    if (!this.#heads.delete(head.join())) this.#heads.set(head.join(), head);
    this.#onChange();
    const asked = [...this.#heads.values()];
    if (!asked.length) return this.root.replaceChildren();
    this.#show(element("p", { class: "hint" }, say("without.working")));
    try {
      const found = await load(this.#inspection, asked);
      if (this.#isAsked(asked)) this.#show(...changes(this.#inspection.sentence, found));
    } catch (error) {
      if (this.#isAsked(asked)) this.#show(element("p", { class: "problem", role: "alert" }, error.message));
    }
  }

  // Heads may have been switched while a reply was on its way.
  #isAsked(asked) {
    return this.#inspection.isSeen && asked.join(";") === [...this.#heads.values()].join(";");
  }

  #show(...content) {
    const switches = [...this.#heads.values()].map((head) => element("button", {
      type: "button", class: "quiet", click: () => this.toggle(...head),
    }, say("without.restore", { head: headTitle(...head) })));
    this.root.replaceChildren(element("h3", {}, say("without.title")), ...content, element("div", { class: "switches" }, switches));
  }
}

// Counted from 1 for people.
export function headTitle(kind, layer, head) {
  return `${say(`attention.${kind}`)}, ${say("attention.stamp", { layer: layer + 1, head: head + 1 })}`;
}

// The shown translation is scored by both, cut by the tokenizer in the same way.
async function load(inspection, without_heads) {
  const { sentence } = inspection;
  const { api_key, source, target } = inspection.question();
  const own = { ...(api_key && { api_key }) };
  const pairs = [{ source_text: sentence.source, target_text: sentence.translation }];
  const [{ translatedText }, [before], [after]] = await Promise.all([
    translate(inspection.request({ without_heads })),
    score({ source, target, pairs, ...own }),
    score({ source, target, pairs, ...own, without_heads }),
  ]);
  const { steps, changed } = await compare({ first: sentence.translation, second: translatedText, ...own });
  return { text: translatedText, steps, changed, before: before.score, after: after.score };
}

function changes(sentence, { text, steps, changed, before, after }) {
  const { target } = sentence.languages;
  const words = changed ? marked(steps) : [text];
  return [
    element("p", { class: "difference", lang: target }, ...words),
    element("p", { class: "readout" }, say(changed ? "without.changed" : "without.same", { count: changed }),
      ` ${say("without.scores", { before: nats(before), after: nats(after) })}`),
  ];
}

// Words of two texts in one line: what only the first has is struck, what only the second has is underlined.
function marked(steps) {
  const ends = { first: 0, second: 0 };
  const word = (side, each, tag) => {
    const gap = each.start > ends[side] ? " " : "";
    ends[side] = each.end;
    return [gap, tag ? element(tag, {}, each.text) : each.text];
  };
  return steps.flatMap(({ first, second, same }) => {
    const struck = first && !same ? word("first", first, "del") : [];
    if (same) ends.first = first.end;
    return [...struck, ...(second ? word("second", second, same ? null : "ins") : [])];
  });
}

const nats = (value) => number(value, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
