// Word alignment: two lines of words, with links between them.

import { element, svg } from "./element.js";
import { roving } from "./roving.js";

const WEAKEST_SHADE = 0.15;

// Without alignment where no model ran.
export function wordsPanel({ source, translation, alignment = [] }) {
  const sides = {
    source: line("source", source, alignment, "The sentence"),
    target: line("target", translation, alignment, "Its translation"),
  };
  const threads = svg("svg", { class: "threads", "aria-hidden": "true" });
  const picture = element("div", { class: "words" }, threads, sides.source.root, sides.target.root);
  const said = element("p", { class: "readout", "aria-live": "polite" }, hint(alignment));
  const links = alignment.map((link) => ({
    weight: link.weight,
    source: sides.source.words.get(link.source[0]),
    target: sides.target.words.get(link.target[0]),
  })).filter((link) => link.source && link.target);

  function show(side, word) {
    const other = side === "source" ? "target" : "source";
    const mine = links.filter((link) => link[side] === word);
    for (const each of picture.querySelectorAll(".word")) shade(each, each === word ? 1 : 0);
    for (const link of mine) shade(link[other], Math.max(WEAKEST_SHADE, link.weight));
    draw(threads, picture, links, mine);
    said.textContent = describe(word, mine, side, other);
  }

  function rest() {
    for (const each of picture.querySelectorAll(".word")) shade(each, 0);
    draw(threads, picture, links, null);
    said.textContent = hint(alignment);
  }

  for (const [side, { root }] of Object.entries(sides)) {
    const showTarget = (event) => event.target.matches(".word") && show(side, event.target);
    for (const kind of ["pointerover", "focusin", "click"]) root.addEventListener(kind, showTarget);
  }
  picture.addEventListener("pointerleave", () => picture.contains(document.activeElement) || rest());
  picture.addEventListener("focusout", rest);
  new ResizeObserver(() => draw(threads, picture, links, null)).observe(picture);
  return [said, picture];
}

function hint(alignment) {
  return alignment.length
    ? "Point at a word, or move with the arrow keys, to see where it came from."
    : "Nothing here went through the model, so no word came from another.";
}

function describe(word, links, side, other) {
  if (!links.length) return `“${word.textContent}” has no counterpart.`;
  const partners = links.map((link) => `“${link[other].textContent}” (${percent(link.weight)})`);
  return `“${word.textContent}” ${side === "target" ? "came from" : "became"} ${partners.join(" and ")}.`;
}

const percent = (share) => `${Math.round(100 * share)} %`;

function line(side, text, links, label) {
  const words = new Map();
  const root = element("p", { class: "line", role: "group", "aria-label": label });
  for (const { start, part, isWord } of stretches(Array.from(text), links.map((link) => link[side]))) {
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

// Cuts a text at the ends of links, and between links at white space.
function stretches(characters, spans) {
  const cuts = new Set(spans.flat());
  const isSpace = (at) => /\s/.test(characters[at]);
  const found = [];
  let start = 0;
  for (let at = 1; at <= characters.length; at += 1) {
    const isEnd = at === characters.length || isSpace(at) !== isSpace(start) || cuts.has(at);
    if (!isEnd) continue;
    found.push({ start, part: characters.slice(start, at).join(""), isWord: !isSpace(start) });
    start = at;
  }
  return found;
}

function shade(word, weight) {
  word.classList.toggle("lit", weight > 0);
  word.style.setProperty("--weight", weight);
}

// No lines where a side wraps, as they would cross the text: shading only.
function draw(threads, picture, links, chosen) {
  const frame = picture.getBoundingClientRect();
  const isWrapped = [...picture.querySelectorAll(".line")].some(hasSeveralLines);
  const shown = isWrapped ? [] : (chosen ?? links);
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
