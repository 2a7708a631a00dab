// Draws one attention map: queries as rows, keys as columns; for the page and for download.

import { element, svg } from "./element.js";
import { number, say } from "./interface.js";

const WORTH_DRAWING = 0.001;
const LETTER = 7.2;

// `map` is [query][key]; colours are inherited from the page. With `split`, a rule stands before that key.
export function heatMap({ map, queries, keys, title, split = null }) {
  const cell = keys.length > 40 ? 16 : keys.length > 16 ? 18 : 26;
  const left = 12 + LETTER * longest(queries);
  const top = 12 + LETTER * longest(keys);
  const [width, height] = [left + cell * keys.length + 4, top + cell * queries.length + 4];
  const root = svg("svg", { class: "heat-map", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title });
  root.append(svg("title", {}, title));
  const cells = svg("g", { fill: "currentColor" });
  map.forEach((row, y) => row.forEach((weight, x) => {
    if (weight < WORTH_DRAWING) return;
    const place = { x: left + x * cell, y: top + y * cell, width: cell - 1, height: cell - 1 };
    cells.append(svg("rect", { ...place, rx: 2, "fill-opacity": strength(weight).toFixed(3) }));
  }));
  const marked = svg("rect", { class: "marked", x: left - 1, y: -99, width: cell * keys.length + 1, height: cell + 1, rx: 3, fill: "none" });
  const pinned = svg("rect", { class: "pinned", x: -99, y: -99, width: cell + 1, height: cell + 1, rx: 3, fill: "none" });
  if (split !== null) {
    const x = left + split * cell - 0.5;
    root.append(svg("path", { class: "split", d: `M${x} 4V${height - 4}`, stroke: "currentColor", "stroke-opacity": 0.6 }));
  }
  root.append(cells, labels(queries, keys, left, top, cell), marked, pinned);
  return {
    root,
    mark: (query) => marked.setAttribute("y", query === null ? -99 : top + query * cell - 1),
    pin: (place) => {
      pinned.setAttribute("x", place === null ? -99 : left + place.key * cell - 1);
      pinned.setAttribute("y", place === null ? -99 : top + place.query * cell - 1);
    },
    at: (event) => placeOf(event, root, { left, top, cell, width, height }, map),
  };
}

function labels(queries, keys, left, top, cell) {
  const group = svg("g", { class: "labels", "font-size": 12, "font-family": "ui-monospace, monospace" });
  queries.forEach((text, y) => {
    const place = { x: left - 6, y: top + (y + 0.5) * cell, "text-anchor": "end", "dominant-baseline": "central" };
    group.append(svg("text", place, text));
  });
  keys.forEach((text, x) => {
    const turned = `translate(${left + (x + 0.5) * cell} ${top - 6}) rotate(-90)`;
    group.append(svg("text", { transform: turned, "dominant-baseline": "central" }, text));
  });
  return group;
}

function placeOf(event, root, { left, top, cell, width, height }, map) {
  const frame = root.getBoundingClientRect();
  const key = Math.floor((((event.clientX - frame.x) / frame.width) * width - left) / cell);
  const query = Math.floor((((event.clientY - frame.y) / frame.height) * height - top) / cell);
  return map[query]?.[key] === undefined ? null : { query, key };
}

// As in the server's pictures: with many pieces most weights are small and would be invisible.
export const strength = (weight) => Math.min(1, Math.sqrt(weight));

const longest = (texts) => Math.max(...texts.map((text) => text.length));

// A thumbnail with one pixel per weight.
export function drawStamp(canvas, map) {
  [canvas.width, canvas.height] = [map[0].length, map.length];
  const context = canvas.getContext("2d");
  context.fillStyle = getComputedStyle(canvas).color;
  map.forEach((row, y) => row.forEach((weight, x) => {
    context.globalAlpha = strength(weight);
    context.fillRect(x, y, 1, 1);
  }));
}

export function legend() {
  const swatches = [0, 0.02, 0.1, 0.3, 0.6, 1].map((weight) => {
    const swatch = element("span", { class: "swatch" });
    swatch.style.setProperty("--strength", Math.sqrt(weight));
    return element("span", { class: "step" }, swatch, number(weight, { style: "percent" }));
  });
  return element("p", { class: "legend hint" }, `${say("attention.legend")} `, ...swatches);
}
