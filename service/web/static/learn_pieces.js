// Cuts a word as BPE, WordPiece and unigram do, by the vocabularies of `learn_pieces.json`.

const SPACE = "▁";
const UNKNOWN_PENALTY = 10;

// Merges the neighbours that were merged first in training, until none is left.
export function byMerges(word, vocabulary) {
  const scores = new Map(vocabulary);
  const pieces = [...(SPACE + word)];
  for (;;) {
    let best = -1;
    for (let i = 0; i + 1 < pieces.length; i += 1) {
      const score = scores.get(pieces[i] + pieces[i + 1]) ?? -Infinity;
      if (score > (best < 0 ? -Infinity : scores.get(pieces[best] + pieces[best + 1]))) best = i;
    }
    if (best < 0) return pieces;
    pieces.splice(best, 2, pieces[best] + pieces[best + 1]);
  }
}

// Takes the longest piece, again and again from the left.
export function byLongest(word, vocabulary) {
  const known = new Set(vocabulary.map(([piece]) => piece));
  const letters = [...(SPACE + word)];
  const pieces = [];
  for (let start = 0; start < letters.length; start += [...pieces.at(-1)].length) {
    let end = letters.length;
    while (end > start + 1 && !known.has(letters.slice(start, end).join(""))) end -= 1;
    pieces.push(letters.slice(start, end).join(""));
  }
  return pieces;
}

// The pieces of the highest product of probabilities (Viterbi).
export function byProbability(word, vocabulary) {
  const scores = new Map(vocabulary);
  const unknown = Math.min(...scores.values()) - UNKNOWN_PENALTY;
  const letters = [...(SPACE + word)];
  const best = [{ score: 0, pieces: [] }];
  for (let end = 1; end <= letters.length; end += 1) {
    for (let start = 0; start < end; start += 1) {
      const piece = letters.slice(start, end).join("");
      const score = best[start].score + (scores.get(piece) ?? (end - start === 1 ? unknown : -Infinity));
      if (score > (best[end]?.score ?? -Infinity)) best[end] = { score, pieces: [...best[start].pieces, piece] };
    }
  }
  return best.at(-1).pieces;
}
