// Draws a search as a tree: a column a step, a line a beam; what it finished stands below.

import { svg } from "./element.js";

const LETTER = 7.2;
const GAP = 34;
const ROW = 24;
const TOP = 8;

export function beamTree({ steps, beam_size: beams }, title, onChoose) {
  const columns = columnsOf(steps);
  const width = columns.at(-1).x + columns.at(-1).width + 8;
  const height = TOP + ROW * (beams + mostEnded(steps)) + 8;
  const root = svg("svg", { class: "beam-tree", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title });
  const band = svg("rect", { class: "band", y: 0, height, rx: 6 });
  const [edges, nodes] = [svg("g"), svg("g", { "font-size": 12, "font-family": "ui-monospace, monospace" })];
  root.append(svg("title", {}, title), band, edges, nodes);
  let before = [{ x: 4, y: middle(0), isResult: true }];
  for (const [at, step] of steps.entries()) before = drawStep(step, columns[at], before, { edges, nodes, beams });
  root.addEventListener("click", (event) => onChoose(stepAt(event, root, columns)));
  return {
    root,
    mark(step) {
      band.setAttribute("x", columns[step].x - 6);
      band.setAttribute("width", columns[step].width + 12);
      follow(root.parentElement, columns[step]);
    },
  };
}

// Candidates within the beam get a node; the others are in the table only.
function drawStep(step, { x, width }, before, { edges, nodes, beams }) {
  const after = [];
  const counts = { place: 0, ended: 0 };
  for (const { fate, place, prefix, token, is_result: isResult } of step) {
    if (!["kept", "ended", "pruned"].includes(fate)) continue;
    const row = fate === "ended" ? beams + counts.ended++ : place ?? counts.place;
    if (fate !== "ended") counts.place += 1;
    const [y, state] = [middle(row), isResult ? `${fate} result` : fate];
    const from = before[prefix];
    if (from) edges.append(svg("path", { class: state, d: curve(from.x, from.y, x - 4, y) }));
    nodes.append(svg("text", { class: state, x, y, "dominant-baseline": "central" }, token));
    if (place !== null) after[place] = { x: x + LETTER * token.length + 4, y, width };
  }
  return after;
}

function columnsOf(steps) {
  let x = 4 + GAP;
  return steps.map((step) => {
    const width = LETTER * Math.max(...step.map(({ token }) => token.length));
    const column = { x, width };
    x += width + GAP;
    return column;
  });
}

const middle = (row) => TOP + ROW * (row + 0.5);
const mostEnded = (steps) => Math.max(...steps.map((step) => step.filter(({ fate }) => fate === "ended").length));

function curve(x1, y1, x2, y2) {
  const bend = (x1 + x2) / 2;
  return `M${x1} ${y1}C${bend} ${y1} ${bend} ${y2} ${x2} ${y2}`;
}

function stepAt(event, root, columns) {
  const x = event.clientX - root.getBoundingClientRect().x;
  const found = columns.findLastIndex((column) => column.x - GAP / 2 <= x);
  return Math.max(0, found);
}

// Keeps the chosen column in view without moving the page.
function follow(frame, { x, width }) {
  if (!frame) return;
  if (x < frame.scrollLeft) frame.scrollLeft = x - GAP;
  else if (x + width > frame.scrollLeft + frame.clientWidth) frame.scrollLeft = x + width + GAP - frame.clientWidth;
}
