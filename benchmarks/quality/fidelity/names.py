"""Names that are put back: what the references say to each, BLEU, and the fixed answers of names.

A bundle with known words translates alone, without a server; its translations are scored as they
are, and with the names put back. Of a word that changed, the reference has the new form (good), the
old one (bad) or neither.
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sacrebleu.metrics.bleu import BLEU

from benchmarks.harness.report import publish
from benchmarks.quality.by_set import translated
from benchmarks.quality.fixed_answers import cases
from bundle.manifest import LanguagePair
from bundle.reader import Bundle, read_bundle
from model.data.corpus import read_pairs
from service.engine.graphs.sessions import Sessions, open_sessions
from service.text.masking.names import KnownWords
from service.text.masking.preprocessing import PreprocessingOptions, preprocess


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A word of a translation that became a name of the source."""

    old: str
    new: str
    verdict: str
    """good, bad or neither."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """A translation with its names put back, and the words that changed."""

    text: str
    changes: tuple[Change, ...]


def mended(source: str, output: str, reference: str, pair: LanguagePair, bundle: Bundle) -> Mended:
    """The translation of a sentence with its names put back, held against a reference."""
    options = PreprocessingOptions(source_language=pair.source, target_language=pair.target)
    words = bundle.known_words
    known = KnownWords(source=words[pair.source], target=words[pair.target])
    preprocessed = preprocess(source, options)
    plain, found = preprocessed.mended(output), preprocessed.mended(output, known)
    kept = {(edit.start, edit.end) for edit in plain.edits}
    return Mended(
        text=found.text,
        changes=tuple(
            Change(old=old, new=edit.text, verdict=verdict(old, edit.text, reference))
            for edit in found.edits
            if (edit.start, edit.end) not in kept
            for old in (output[edit.start : edit.end],)
        ),
    )


def verdict(old: str, new: str, reference: str) -> str:
    """Whether a reference has the new form of a word, the old one or neither."""
    if _has(reference, new):
        return "good"
    return "bad" if _has(reference, old) else "neither"


def _has(text: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word.strip())}(?!\w)", text) is not None


def main() -> int:
    """Measure and print; return the exit code."""
    arguments = _parse()
    sessions = open_sessions(read_bundle(arguments.bundle), num_threads=arguments.threads)
    result: dict[str, Any] = {"bundle": sessions.bundle.manifest.name}
    for pair in sessions.bundle.manifest.pairs:
        result[str(pair)] = {
            path.name: _of_set(sessions, pair, path, arguments) for path in arguments.sets
        } | {"fixed answers": _of_answers(sessions, pair, arguments)}
    publish(result, arguments.json)
    return 0


def _of_set(
    sessions: Sessions, pair: LanguagePair, path: Path, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Figures of the first pairs of a set, whose first column is English."""
    rows = read_pairs(path.name, path.parent)[0][: arguments.limit]
    columns = [(p.source, p.target) if pair.source == "en" else (p.target, p.source) for p in rows]
    outputs = _outputs(sessions, pair, [source for source, _ in columns], arguments)
    found = [
        mended(source, output, reference, pair, sessions.bundle)
        for (source, reference), output in zip(columns, outputs, strict=True)
    ]
    changes = [change for each in found for change in each.changes]
    references, bleu = [[reference for _, reference in columns]], BLEU()
    return {
        "sentences": len(rows),
        **Counter(change.verdict for change in changes),
        "changes": [f"{change.old} -> {change.new}: {change.verdict}" for change in changes],
        "bleu before": round(bleu.corpus_score(outputs, references).score, 2),
        "bleu": round(bleu.corpus_score([each.text for each in found], references).score, 2),
        "signature": str(bleu.get_signature()),
    }


def _of_answers(
    sessions: Sessions, pair: LanguagePair, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Right names of the fixed answers, before and after."""
    chosen = [c for c in cases() if c.kind == "names" and c.pair == f"{pair.source}-{pair.target}"]
    outputs = _outputs(sessions, pair, [case.source for case in chosen], arguments)
    texts = [
        mended(case.source, output, "", pair, sessions.bundle).text
        for case, output in zip(chosen, outputs, strict=True)
    ]
    return {
        "names": len(chosen),
        "right before": sum(c.is_right(o) for c, o in zip(chosen, outputs, strict=True)),
        "right": sum(c.is_right(t) for c, t in zip(chosen, texts, strict=True)),
        "wrong": [[c.source, t] for c, t in zip(chosen, texts, strict=True) if not c.is_right(t)],
    }


def _outputs(
    sessions: Sessions, pair: LanguagePair, sources: Sequence[str], arguments: argparse.Namespace
) -> list[str]:
    decoding = sessions.bundle.manifest.decoding
    beam = arguments.beam or decoding.beam_size
    return translated(sessions, pair, sources, beam, decoding.length_penalty)[0]


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality.fidelity.names", description=__doc__
    )
    parser.add_argument("bundle", type=Path, help="folder of a bundle with known words")
    parser.add_argument(
        "sets", type=Path, nargs="*", help="English, tab, other language; .xz or not"
    )
    parser.add_argument("--limit", type=int, default=900, help="pairs of a set, the first ones")
    parser.add_argument("--beam", type=int, help="hypotheses kept; default: the bundle's")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="file for the figures, besides standard output")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
