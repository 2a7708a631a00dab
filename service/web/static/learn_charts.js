// Charts of the page of questions: lines, dots, bars, pictures of numbers, tables.

import { element, svg } from "./element.js";
import { drawStamp, heatMap } from "./heat_map.js";
import { number } from "./interface.js";

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [520, 230, 56, 34, 24];

// A figure that a test can read: its exact value beside the one that is rounded.
export function figure(name, value, digits = 2) {
  const shown = value === 0 ? "0.0" : Number(value.toPrecision(digits + 1)).toString();
  return output(name, value, shown);
}

// A whole number.
export const count = (name, value) => output(name, value, number(value));

function output(name, value, shown) {
  return element("output", { "data-name": name, "data-value": String(value) }, shown);
}

export function map(title, weights, queries, keys) {
  const { root } = heatMap({ map: weights, queries, keys, title });
  return element("div", {}, element("h3", {}, title), scrolled(title, root));
}

export function stamp(title, weights) {
  const canvas = element("canvas", { role: "img", "aria-label": title });
  const made = element("div", {}, canvas, title);
  requestAnimationFrame(() => drawStamp(canvas, weights)); // its colour is known once it is in the page
  return made;
}

export const grid = (stamps) => element("div", { class: "grid" }, stamps);

// `series` are {name, points: [[x, y], ...]}; `isLog` is of the upright axis.
export function lines({ title, series, x, y, isLog = false }) {
  const scale = scaleOf(series.flatMap((each) => each.points), isLog);
  const paths = series.map(({ points }, i) => svg("polyline", { class: `series-${i}`, points: points.map(scale.place).join(" ") }));
  return element("div", { class: "plot" }, chart(title, scale, x, y, paths), series.length > 1 ? keysOf(series) : "");
}

export function dots({ title, points, x, y }) {
  const scale = scaleOf([...points, [0, 0], [1, 1]], false);
  const diagonal = svg("polyline", { class: "axis", points: [[0, 0], [1, 1]].map(scale.place).join(" ") });
  const marks = points.map((point) => svg("circle", { class: "dot", r: 4, cx: scale.place(point)[0], cy: scale.place(point)[1] }));
  return element("div", { class: "plot" }, chart(title, scale, x, y, [diagonal, ...marks]));
}

function scaleOf(points, isLog) {
  const height = (value) => (isLog ? Math.log10(Math.max(value, 1e-12)) : value);
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => height(y))];
  const [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const across = (x) => LEFT + ((x - x0) / (x1 - x0 || 1)) * (WIDTH - LEFT - 12);
  const up = (y) => HEIGHT - BOTTOM - ((height(y) - y0) / (y1 - y0 || 1)) * (HEIGHT - BOTTOM - TOP);
  const end = (value) => Number((isLog ? 10 ** value : value).toPrecision(2)).toString();
  return { place: ([x, y]) => [across(x).toFixed(1), up(y).toFixed(1)], ends: [x0, x1].map(String), heights: [end(y0), end(y1)] };
}

function chart(title, scale, x, y, marks) {
  const axes = svg("polyline", { class: "axis", points: `${LEFT},${TOP} ${LEFT},${HEIGHT - BOTTOM} ${WIDTH - 12},${HEIGHT - BOTTOM}` });
  const text = (at, anchor, content) => svg("text", { x: at[0], y: at[1], "text-anchor": anchor }, content);
  return svg("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title },
    axes, ...marks,
    text([LEFT, HEIGHT - 18], "start", scale.ends[0]), text([WIDTH - 12, HEIGHT - 18], "end", scale.ends[1]),
    text([(LEFT + WIDTH) / 2, HEIGHT - 4], "middle", x),
    text([LEFT - 6, HEIGHT - BOTTOM], "end", scale.heights[0]), text([LEFT - 6, TOP + 8], "end", scale.heights[1]),
    text([LEFT, 12], "start", y));
}

function keysOf(series) {
  const sample = (i) => svg("svg", { viewBox: "0 0 32 10", "aria-hidden": "true" }, svg("path", { class: `series-${i}`, d: "M0 5h32" }));
  return element("ul", { class: "keys" }, series.map(({ name }, i) => element("li", {}, sample(i), name)));
}

// `rows` are {name, value, shown}; the longest bar is the largest value.
export function bars(rows) {
  const most = Math.max(...rows.map(({ value }) => value));
  return element("ul", { class: "bars" }, rows.map(({ name, value, shown }) => {
    const filled = element("span", { class: "filled" });
    filled.style.width = `${(100 * value) / most}%`;
    return element("li", {}, element("span", {}, name), element("span", { class: "bar" }, filled), element("span", { class: "hint" }, shown));
  }));
}

// One pixel per number: the stronger, the nearer to 1; values lie between -1 and 1.
export function picture(title, numbers) {
  const canvas = element("canvas", { class: "picture", role: "img", "aria-label": title });
  [canvas.width, canvas.height] = [numbers.length, numbers[0].length];
  requestAnimationFrame(() => {
    const context = canvas.getContext("2d");
    context.fillStyle = getComputedStyle(canvas).color;
    numbers.forEach((column, x) => column.forEach((value, y) => {
      context.globalAlpha = (value + 1) / 2;
      context.fillRect(x, y, 1, 1);
    }));
  });
  return element("div", {}, element("h3", {}, title), canvas);
}

export function table(title, head, rows) {
  const cells = (name, row) => element("tr", {}, row.map((cell) => element(name, name === "th" ? { scope: "col" } : {}, cell)));
  return scrolled(title, element("table", {}, element("thead", {}, cells("th", head)), element("tbody", {}, rows.map((row) => cells("td", row)))));
}

const scrolled = (name, content) => element("div", { class: "scrolled", tabindex: 0, role: "region", "aria-label": name }, content);
