// Cuts a sentence into words and what is between them.

// At the ends of links, and between links at white space; offsets count code points, as in Python.
export function stretches(characters, spans) {
  const cuts = new Set(spans.flat());
  const isSpace = (at) => /\s/.test(characters[at]);
  const found = [];
  let start = 0;
  for (let at = 1; at <= characters.length; at += 1) {
    const isEnd = at === characters.length || isSpace(at) !== isSpace(start) || cuts.has(at);
    if (!isEnd) continue;
    found.push({ start, end: at, part: characters.slice(start, at).join(""), isWord: !isSpace(start) });
    start = at;
  }
  return found;
}

export const spansOf = (alignment, side) => (alignment ?? []).map((link) => link[side]);
