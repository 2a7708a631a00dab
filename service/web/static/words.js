// Word alignment: two lines of words, with threads between them.

import { element, svg } from "./element.js";
import { percent, say } from "./interface.js";
import { roving } from "./roving.js";
import { spansOf, stretches } from "./stretches.js";

const WEAKEST_SHADE = 0.15;

// Without alignment where no model ran.
export function wordsPanel({ source, translation, alignment, languages = {} }) {
  const found = alignment ?? [];
  const sides = {
    source: line("source", source, found, say("words.source"), languages.source),
    target: line("target", translation, found, say("words.target"), languages.target),
  };
  const threads = svg("svg", { class: "threads", "aria-hidden": "true" });
  const picture = element("div", { class: "words" }, threads, sides.source.root, sides.target.root);
  const said = element("p", { class: "readout", "aria-live": "polite" }, hint(found));
  const links = found.map((link) => ({
    weight: link.weight,
    source: sides.source.words.get(link.source[0]),
    target: sides.target.words.get(link.target[0]),
  })).filter((link) => link.source && link.target);
  let chosen = null;

  function show(side, word) {
    const other = side === "source" ? "target" : "source";
    const mine = links.filter((link) => link[side] === word);
    for (const each of picture.querySelectorAll(".word")) shade(each, each === word ? 1 : 0);
    for (const link of mine) shade(link[other], Math.max(WEAKEST_SHADE, link.weight));
    chosen = mine;
    draw(threads, picture, links, chosen);
    said.textContent = describe(word, mine, side, other);
  }

  function rest() {
    for (const each of picture.querySelectorAll(".word")) shade(each, 0);
    chosen = null;
    draw(threads, picture, links, null);
    said.textContent = hint(found);
  }

  for (const [side, { root }] of Object.entries(sides)) {
    const showTarget = (event) => event.target.matches(".word") && show(side, event.target);
    for (const kind of ["pointerover", "focusin", "click"]) root.addEventListener(kind, showTarget);
  }
  picture.addEventListener("pointerleave", () => picture.contains(document.activeElement) || rest());
  picture.addEventListener("focusout", rest);
  new ResizeObserver(() => draw(threads, picture, links, chosen)).observe(picture);
  return [said, picture];
}

const hint = (alignment) => say(alignment.length ? "words.hint" : "nothing");

function describe(word, links, side, other) {
  const text = word.textContent;
  if (!links.length) return say("words.alone", { text });
  const partners = links.map((link) => say("weighed", { text: link[other].textContent, share: percent(link.weight) }));
  return say(side === "target" ? "words.came-from" : "words.became", { text, list: partners.join(say("and")) });
}

function line(side, text, links, label, lang) {
  const words = new Map();
  const root = element("p", { class: "line", dir: "auto", role: "group", "aria-label": label, lang: lang ?? null });
  for (const { start, part, isWord } of stretches(Array.from(text), spansOf(links, side))) {
    if (!isWord) {
      root.append(part);
      continue;
    }
    const word = element("button", { type: "button", class: "word", tabindex: "-1" }, part);
    words.set(start, word);
    root.append(word);
  }
  const stops = roving(root, ".word");
  if (words.size) stops.reset();
  return { root, words };
}

function shade(word, weight) {
  word.classList.toggle("lit", weight > 0);
  word.style.setProperty("--weight", weight);
}

// Where a side wraps, all threads at once would cross the text: those of one word are drawn, behind it.
function draw(threads, picture, links, chosen) {
  const frame = picture.getBoundingClientRect();
  const isWrapped = [...picture.querySelectorAll(".line")].some(hasSeveralLines);
  const shown = isWrapped ? (chosen ?? []) : (chosen ?? links);
  picture.classList.toggle("wrapped", isWrapped);
  threads.setAttribute("viewBox", `0 0 ${frame.width} ${frame.height}`);
  threads.replaceChildren(...shown.map((link) => thread(link, frame, chosen !== null)));
}

function hasSeveralLines(line) {
  const words = line.querySelectorAll(".word");
  return words.length > 1 && words[words.length - 1].offsetTop > words[0].offsetTop;
}

function thread({ source, target, weight }, frame, isChosen) {
  const from = source.getBoundingClientRect();
  const to = target.getBoundingClientRect();
  const [x1, y1] = [from.x + from.width / 2 - frame.x, from.bottom - frame.y];
  const [x2, y2] = [to.x + to.width / 2 - frame.x, to.top - frame.y];
  const middle = (y1 + y2) / 2;
  const path = svg("path", { d: `M${x1} ${y1}C${x1} ${middle} ${x2} ${middle} ${x2} ${y2}` });
  path.setAttribute("stroke-opacity", (isChosen ? 0.4 : 0.15) + 0.5 * weight);
  path.setAttribute("stroke-width", 1 + 2 * weight);
  return path;
}
