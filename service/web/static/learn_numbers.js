// What the figures of the page of questions show, computed from replies of the server.

// Served weights are softmax(s / sqrt(d_k)): the row that the same scores give without the division.
export function unscaled(row, headWidth) {
  const raised = row.map((weight) => Math.sqrt(headWidth) * Math.log(Math.max(weight, 1e-30)));
  const most = Math.max(...raised);
  const exponentials = raised.map((score) => Math.exp(score - most));
  const total = sum(exponentials);
  return exponentials.map((each) => each / total);
}

// [layer][head][query][key] -> all rows.
export const rowsOf = (maps) => maps.flat(2);

export function sharpness(rows) {
  const largest = rows.map((row) => Math.max(...row));
  return { largest: mean(largest), gradient: median(largest.map((p) => p * (1 - p))) };
}

// Jensen-Shannon between two maps, mean over rows, in nats: 0 where equal, ln 2 where nothing is shared.
export function divergence(one, other) {
  return mean(one.map((row, i) => {
    const middle = row.map((weight, j) => (weight + other[i][j]) / 2);
    return (relativeEntropy(row, middle) + relativeEntropy(other[i], middle)) / 2;
  }));
}

function relativeEntropy(weights, others) {
  return sum(weights.map((p, i) => p * Math.log(Math.max(p, 1e-12) / Math.max(others[i], 1e-12))));
}

export function meanDivergence(heads) {
  const found = heads.flatMap((one, a) => heads.slice(a + 1).map((other) => divergence(one, other)));
  return found.length ? mean(found) : 0;
}

// Weight of the largest quarter of the keys of a row, at least one.
export function topQuarter(rows) {
  return mean(rows.map((row) => sum([...row].sort((a, b) => b - a).slice(0, Math.max(1, Math.floor(row.length / 4))))));
}

export function meanMap(maps) {
  return maps[0].map((row, i) => row.map((_, j) => mean(maps.map((map) => map[i][j]))));
}

// How often a token attends to itself most.
export function selfChoice(maps) {
  const found = maps.flat(1).flatMap((map) => map.map((row, i) => Number(row[i] === Math.max(...row))));
  return mean(found);
}

// Pairs of i < j: what i gives j, and j gives i.
export function bothWays(map) {
  return map.flatMap((row, i) => row.slice(i + 1).map((weight, k) => [weight, map[i + 1 + k][i]]));
}

export function asymmetry(map) {
  const pairs = bothWays(map);
  return sum(pairs.map(([a, b]) => Math.abs(a - b))) / sum(pairs.map(([a, b]) => a + b));
}

export function futureWeight(maps) {
  return Math.max(...maps.flat(1).flatMap((map) => map.flatMap((row, i) => row.slice(i + 1))), 0);
}

export const selfWeights = (maps) => maps.map((heads) => heads.map((map) => mean(map.map((row, i) => row[i]))));

export function largestDifference(one, other) {
  const [a, b] = [[one].flat(Infinity), [other].flat(Infinity)];
  return a.length === b.length ? Math.max(...a.map((value, i) => Math.abs(value - b[i]))) : NaN;
}

// Two for a multiplication with its addition, in one layer of the encoder.
export function costs(n, { d_model: width, d_ff: inner }) {
  return {
    products: 4 * n * n * width,
    projections: 8 * n * width * width,
    feedForward: 4 * n * width * inner,
    crossover: 2 * width + inner,
  };
}

export function sinusoids(length, width, base = 10000) {
  return Array.from({ length }, (_, position) => Array.from({ length: width }, (_, column) => {
    const angle = position * base ** (-2 * Math.floor(column / 2) / width);
    return column % 2 ? Math.cos(angle) : Math.sin(angle);
  }));
}

export const dot = (a, b) => sum(a.map((value, i) => value * b[i]));

export const ACTIVATIONS = {
  ReLU: (x) => Math.max(0, x),
  GELU: (x) => (x * (1 + errorFunction(x / Math.SQRT2))) / 2,
  Swish: (x) => x / (1 + Math.exp(-x)),
};

// Abramowitz and Stegun (1964), 7.1.26: to 1.5e-7.
function errorFunction(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const polynomial = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - polynomial * Math.exp(-x * x));
}

// Vaswani et al. (2017), section 5.3.
export function learningRate(step, width, warmup) {
  return width ** -0.5 * Math.min(step ** -0.5, step * warmup ** -1.5);
}

export const sum = (values) => values.reduce((total, value) => total + value, 0);
export const mean = (values) => sum(values) / values.length;

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
