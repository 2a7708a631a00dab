// The figure of each group of questions: what it draws, and the sentence with its numbers.

import { bars, count, dots, figure, grid, lines, map, picture, stamp, table } from "./learn_charts.js";
import { number } from "./interface.js";
import * as numbers from "./learn_numbers.js";
import { byLongest, byMerges, byProbability } from "./learn_pieces.js";

const BASES = [10, 10000, 1e8];
const DISTANCES = 128;
const WARMUP = 4000;

// By number of the group. Each gets what `learn.js` has measured and returns {drawn, caption}.
export const FIGURES = {
  1({ architecture, maps, head, sourceTokens: tokens, choice }) {
    const width = architecture.d_model / architecture.num_heads;
    if (architecture.attention_score !== "scaled_dot") return { drawn: [], caption: ["The scores of this model are no scaled dot products."] };
    const rows = numbers.rowsOf(maps.encoder);
    const [served, without] = [numbers.sharpness(rows), numbers.sharpness(rows.map((row) => numbers.unscaled(row, width)))];
    return {
      drawn: [map(`${choice}, as served`, head, tokens, tokens), map("Without scaling", head.map((row) => numbers.unscaled(row, width)), tokens, tokens)],
      caption: [`d_k is ${width}. Over all rows of the encoder the largest weight goes from `, figure("largest", served.largest), " to ", figure("largest-unscaled", without.largest),
        " (mean), its gradient p(1 - p) from ", figure("gradient", served.gradient), " to ", figure("gradient-unscaled", without.gradient), " (median)."],
    };
  },
  2({ maps, layer, heads }) {
    const stamps = heads.map((each, i) => stamp(`Head ${i + 1}`, each));
    return {
      drawn: [grid([...stamps, stamp("Their mean", numbers.meanMap(heads))])],
      caption: [`Heads of encoder layer ${layer + 1} side by side. Two heads of it diverge by `, figure("divergence", numbers.meanDivergence(heads)),
        " nats (Jensen-Shannon, mean; at most 0.693). In the whole encoder a quarter of the keys has ", figure("quarter", numbers.topQuarter(numbers.rowsOf(maps.encoder))), " of the weight of a row."],
    };
  },
  3({ maps, head, choice }) {
    return {
      drawn: [dots({ title: `What token i gives to j, and j to i, in ${choice}`, points: numbers.bothWays(head), x: "i to j", y: "j to i" })],
      caption: [`${choice}: pairs differ by `, figure("asymmetry", numbers.asymmetry(head)), " of what they give each other, 0 being symmetric. In the whole encoder ",
        figure("self-choice", numbers.selfChoice(maps.encoder)), " of the rows have their largest weight on the diagonal."],
    };
  },
  4({ architecture, sourceTokens: { length: n } }) {
    const pairs = n * n * architecture.d_model;
    const floats = n * n * architecture.num_heads;
    return {
      drawn: [table("Cost of scores", ["One layer, your sentence", "dot product", "additive"], [
        ["multiplications", count("multiplications", pairs), count("multiplications-additive", pairs)],
        ["tanh", count("tanh", 0), count("tanh-additive", pairs)],
        ["numbers in memory", count("floats", floats), count("floats-additive", pairs)],
      ])],
      caption: [`Counted for n = ${n} tokens, d_model = ${architecture.d_model} and ${architecture.num_heads} heads.`],
    };
  },
  5({ maps, padded, isPadded, neighbour }) {
    const beside = isPadded
      ? [` Beside a sentence that is longer (“${neighbour}”) the largest change of any weight of the encoder and of cross-attention is `, figure("padding", padded), "."]
      : [` Beside “${neighbour}” your sentence is not padded, as it is no shorter: choose a shorter one to see that padding changes nothing.`];
    return {
      drawn: [grid(maps.decoder.flatMap((heads, i) => heads.map((each, k) => stamp(`${i + 1}.${k + 1}`, each))))],
      caption: ["The decoder's attention to itself, by layer and head: the largest weight on a later token is ", figure("future", numbers.futureWeight(maps.decoder)), ".", ...beside],
    };
  },
  // The maps are of the given translation, which may be cut into other tokens than those that were generated.
  6({ maps, sourceTokens, forcedTokens }) {
    const last = (kind) => numbers.meanMap(maps[kind].at(-1));
    return {
      drawn: [map("Source to source", last("encoder"), sourceTokens, sourceTokens), map("Translation to itself", last("decoder"), forcedTokens, forcedTokens),
        map("Translation to source", last("cross"), forcedTokens, sourceTokens)],
      caption: ["Mean of the heads of the last layer. Cross-attention has ", count("rows", maps.cross[0][0].length), " rows, one for each token of the translation, and ",
        count("columns", maps.cross[0][0][0].length), " columns, one for each token of the source."],
    };
  },
  7({ architecture: { d_model: width } }) {
    const sizes = { embedding: width ** -0.5, scaled: 1, position: Math.sqrt(0.5) };
    return {
      drawn: [bars(Object.entries(sizes).map(([name, value]) => ({ name, value, shown: figure(`size-${name}`, value) })))],
      caption: [`Root of the mean square, at the start of training, for d_model = ${width}: `, figure("factor", Math.sqrt(width)), " is the factor."],
    };
  },
  8({ architecture: { d_model: width } }) {
    const series = BASES.map((base) => {
      const table = numbers.sinusoids(DISTANCES, width, base);
      return { name: `base ${number(base)}`, points: table.map((row, distance) => [distance, numbers.dot(row, table[0])]) };
    });
    const [, { points }] = series;
    return {
      drawn: [picture("Positions 0 to 127 from left to right, channels downwards", numbers.sinusoids(DISTANCES, width)),
        lines({ title: "Dot product of two positions by their distance", series, x: "distance", y: "dot product" })],
      caption: [`For the width of this model the dot product of a position with itself is `, figure("product-0", points[0][1]), ", at distance 1 ", figure("product-1", points[1][1]),
        ", at distance 50 ", figure("product-50", points[50][1]), "."],
    };
  },
  9({ gradients }) {
    const series = Object.entries(gradients).map(([name, norms]) => ({ name, points: norms.map((norm, i) => [i + 1, norm]) }));
    return {
      drawn: [lines({ title: "Norm of the gradient by layer", series, x: "layer", y: "gradient, relative to the last layer", isLog: true })],
      caption: ["Encoder layers of width 16 with random weights, seed 1. The first of 24 layers gets ", figure("first-residual", gradients["with residual"][0]),
        " of the last layer's gradient with residual connections, ", figure("first-plain", gradients["without residual"][0]), " without."],
    };
  },
  10({ alone, beside, targetTokens }) {
    return {
      drawn: [table("Alone and beside others", ["token", "alone", "beside three others"], targetTokens.map((token, i) => [token, alone[i].toFixed(6), beside[i]?.toFixed(6) ?? ""]))],
      caption: ["Log-probabilities of your translation alone, and in one request with three other sentences. Largest difference: ", figure("neighbours", numbers.largestDifference(alone, beside)), "."],
    };
  },
  11({ architecture }) {
    const points = Array.from({ length: 81 }, (_, i) => (i - 40) / 10);
    const series = Object.entries(numbers.ACTIVATIONS).map(([name, bend]) => ({ name, points: points.map((x) => [x, bend(x)]) }));
    return {
      drawn: [lines({ title: "Activations", series, x: "before", y: "after" })],
      caption: [`This model uses ${architecture.activation}, and is ${architecture.d_ff} wide inside for ${architecture.d_model} outside. At -1 GELU is `,
        figure("gelu", numbers.ACTIVATIONS.GELU(-1)), " and Swish ", figure("swish", numbers.ACTIVATIONS.Swish(-1)), ", where ReLU is 0."],
    };
  },
  12({ alone, forced, targetTokens, forcedTokens }) {
    if (targetTokens.join(" ") !== forcedTokens.join(" ")) return { drawn: [], caption: ["The text of this translation is cut into other tokens than those that were generated: choose another sentence."] };
    return {
      drawn: [table("Step by step and at once", ["token", "token by token", "in one pass"], targetTokens.map((token, i) => [token, alone[i].toFixed(6), forced[i].toFixed(6)]))],
      caption: ["Log-probability of each token. Largest difference: ", figure("forcing", numbers.largestDifference(alone, forced)), "."],
    };
  },
  13({ architecture: { d_model: width } }) {
    const points = Array.from({ length: 200 }, (_, i) => [(i + 1) * 100, numbers.learningRate((i + 1) * 100, width, WARMUP)]);
    return {
      drawn: [lines({ title: "Learning rate by step", series: [{ name: "rate", points }], x: "step", y: "learning rate" })],
      caption: [`The paper's schedule for d_model = ${width} and ${WARMUP} steps of warm-up. Its peak is `, figure("peak", numbers.learningRate(WARMUP, width, WARMUP)), "."],
    };
  },
  14({ vocabularies: { bpe, unigram }, source, sourceTokens }) {
    const words = [...new Set(source.toLowerCase().match(/\p{L}+/gu) ?? [])];
    const cut = (rule, vocabulary, name) => (word) => piecesOf(name, word, rule(word, vocabulary));
    const rules = [cut(byMerges, bpe, "bpe"), cut(byLongest, bpe, "longest"), cut(byProbability, unigram, "unigram")];
    return {
      drawn: [table("Words and their pieces", ["word", "BPE", "longest piece (WordPiece)", "unigram"], words.map((word) => [word, ...rules.map((rule) => rule(word))]))],
      caption: ["The served model cuts the sentence into ", count("pieces", sourceTokens.length), ` pieces: ${sourceTokens.join(" ")}`],
    };
  },
  15({ architecture, sourceTokens: { length: n } }) {
    const { products, projections, feedForward, crossover } = numbers.costs(n, architecture);
    const row = (name, key, value) => ({ name, value, shown: count(key, value) });
    return {
      drawn: [bars([row("products of tokens, 4 n² d", "products", products), row("projections, 8 n d²", "projections", projections), row("feed-forward", "feed-forward", feedForward)]),
        table("Steps from the first token to the last", ["Way", "first token to last", "steps in a row"], [
          ["attention", "1", "1"],
          ["convolutions of 3 tokens", count("convolutions", n - 1), "as many"],
          ["recurrence", count("recurrence", n), "as many"],
        ])],
      caption: [`Operations of one encoder layer for your n = ${n} tokens. Products of tokens are the larger part beyond n = `, count("crossover", crossover), "."],
    };
  },
  16({ maps }) {
    const own = numbers.selfWeights(maps.encoder);
    const [layers, heads] = [own.map((_, i) => `layer ${i + 1}`), own[0].map((_, i) => `head ${i + 1}`)];
    return {
      drawn: [map("Mean weight of a token on itself", own, layers, heads)],
      caption: ["Between ", figure("self-least", Math.min(...own.flat())), " and ", figure("self-most", Math.max(...own.flat())), " of a row, by layer and head of the encoder."],
    };
  },
};

function piecesOf(rule, word, pieces) {
  const shown = document.createElement("span");
  Object.assign(shown.dataset, { rule, word, pieces: JSON.stringify(pieces) });
  shown.textContent = pieces.join(" · ");
  return shown;
}
