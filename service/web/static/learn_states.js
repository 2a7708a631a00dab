// Figures of what the encoder computes, by the question that they belong to; the model has to have states.

import { count, figure, lines, picture, table } from "./learn_charts.js";
import { dot, largestDifference, mean } from "./learn_numbers.js";

const LARGEST = 3;
const MOST_ROWS = 128;

// Each gets the states of one layer and head and returns {drawn, caption}.
export const STATE_FIGURES = {
  3({ queries, keys, values, map, tokens, choice, isPlain }) {
    const products = queries.map((query) => softmax(keys.map((key) => dot(query, key) / Math.sqrt(query.length))));
    const named = { queries, keys, values };
    const check = isPlain
      ? [" The softmax of q k / root of d_k, computed here from these numbers, differs from the weights that were served by at most ", figure("product-error", largestDifference(products, map)), "."]
      : [];
    return {
      drawn: [
        ...Object.entries(named).map(([name, rows]) => picture(`${choice}: ${name}, a column for each token`, scaled(rows))),
        table("Norms of queries, keys and values", ["norm of the token's", "query", "key", "value"], tokens.map((token, i) => [token, ...Object.entries(named).map(([name, rows]) => figure(`norm-${name}-${i}`, norm(rows[i])))])),
      ],
      caption: [`${choice}: what each token looks for, by what it is found, and what it hands over, in `, count("head-width", queries[0].length), " channels from top to bottom: the fuller the colour, the larger the value.", ...check],
    };
  },
  9({ norms, tokens }) {
    const series = [["mean of the tokens", norms.map(mean)], [`the end, ${tokens.at(-1)}`, norms.map((row) => row.at(-1))]];
    return {
      drawn: [lines({ title: "Norm along the residual stream", series: series.map(([name, values]) => ({ name, points: values.map((value, place) => [place / 2, value]) })), x: "layers passed; attention adds at the halves", y: "norm of the vector" })],
      caption: ["The vectors of your sentence on their way through the encoder: from ", figure("norm-first", mean(norms[0])), " (mean of the tokens) at the embeddings to ", figure("norm-last", mean(norms.at(-1))), " behind the last layer."],
    };
  },
  11({ activations, tokens, layer }) {
    const width = Math.ceil(activations[0].length / MOST_ROWS);
    const active = activations.map((row) => row.filter((value) => value > 0).length / row.length);
    const most = activations.map((row) => [...row.keys()].sort((a, b) => row[b] - row[a]).slice(0, LARGEST));
    return {
      drawn: [
        picture(`Encoder layer ${layer + 1}: activations, a column for each token`, scaled(activations.map((row) => pooled(row, width)))),
        table("Activations by token", ["token", "channels above 0", "strongest channels"], tokens.map((token, i) => [token, figure(`active-${i}`, active[i]), most[i].join(", ")])),
      ],
      caption: [`Inside the feed-forward of layer ${layer + 1}, `, count("channels", activations[0].length), " channels for each token, a share of ", figure("active", mean(active)), " of them is above 0.", ...(width > 1 ? [` A row of the picture is the largest of ${width} neighbours.`] : [])],
    };
  },
};

// -1 to 1 over all numbers, as a picture takes them.
function scaled(rows) {
  const all = rows.flat();
  const [least, most] = [all.reduce((a, b) => Math.min(a, b)), all.reduce((a, b) => Math.max(a, b))];
  return rows.map((row) => row.map((value) => (2 * (value - least)) / (most - least || 1) - 1));
}

// A screen has fewer rows than a feed-forward has channels.
function pooled(row, width) {
  return Array.from({ length: Math.ceil(row.length / width) }, (_, i) => Math.max(...row.slice(i * width, (i + 1) * width)));
}

const norm = (vector) => Math.sqrt(dot(vector, vector));

function softmax(scores) {
  const most = Math.max(...scores);
  const exponentials = scores.map((score) => Math.exp(score - most));
  const total = exponentials.reduce((a, b) => a + b);
  return exponentials.map((each) => each / total);
}
