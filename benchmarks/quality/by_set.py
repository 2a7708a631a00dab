"""BLEU and chrF of a bundle, or of a checkpoint in fp32, on each of the given sets.

The model is scored alone, line by line, in both directions, without the processing of the service.
The name of a set is the third column of its file, or the name of a file without one.
"""

import argparse
import random
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from tqdm import tqdm

from benchmarks.harness.report import record
from bundle.manifest import LanguagePair
from bundle.reader import read_bundle
from export.inputs.training_run import prepare_run
from export.options import ExportOptions
from export.publication.staging import GraphVariant, open_staged
from model.data.corpus import SentencePair, read_pairs
from service.engine.graphs.sessions import Sessions, open_sessions
from service.engine.offline import decode_stream
from service.engine.search.options import DecodeOptions
from service.engine.search.repetition import longest_repetition, max_loop_tokens

SEED = 24
_FORMAT_MARKER = re.compile(r"plural:|%[a-z]\b|\{\{|\}\}|\{\w*\}|\$\{|&\w+;|[⟦⟧▁⁇\ufffd]")


def main() -> int:
    """Measure and print; return the exit code."""
    arguments = _parse()
    sets = read_sets(arguments.sets, arguments.limit)
    result: dict[str, Any] = {"subject": str(arguments.subject), "sets": {}}
    with opened(arguments) as sessions:
        for name, pairs in sets.items():
            result["sets"][name] = found = _measured(sessions, pairs, arguments)
            print(name, len(pairs), _brief(found), flush=True)
    record(result, arguments.json)
    return 0


def read_sets(files: Sequence[Path], limit: int) -> dict[str, list[SentencePair]]:
    """Sets by name; of a set with more than `limit` pairs, a sample drawn by the seed."""
    sets: dict[str, list[SentencePair]] = {}
    for path in files:
        for pair in read_pairs(path.name, path.parent)[0]:
            sets.setdefault(pair.origin, []).append(pair)
    return {
        name: random.Random(f"{SEED} {name}").sample(pairs, limit) if len(pairs) > limit else pairs
        for name, pairs in sets.items()
    }


@contextmanager
def opened(arguments: argparse.Namespace) -> Iterator[Sessions]:
    """Sessions of `arguments.subject`: a bundle, or the fp32 graphs of a checkpoint."""
    if arguments.subject.is_dir():
        yield open_sessions(read_bundle(arguments.subject), num_threads=arguments.threads)
        return
    with tempfile.TemporaryDirectory() as folder:
        options = ExportOptions(
            checkpoint=arguments.subject,
            data=arguments.data,
            out=Path(folder) / "bundle",
            max_source_tokens=128,
        )
        yield open_staged(prepare_run(options), GraphVariant(), Path(folder) / "fp32")


def _measured(
    sessions: Sessions, pairs: Sequence[SentencePair], arguments: argparse.Namespace
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for index, pair in enumerate(sessions.bundle.manifest.pairs):
        columns = [(p.target, p.source) if index else (p.source, p.target) for p in pairs]
        for beam_size in arguments.beams:
            texts, num_loops = translated(
                sessions, pair, [s for s, _ in columns], beam_size, arguments.length_penalty
            )
            found[f"{pair} beam {beam_size}"] = _scores(texts, [t for _, t in columns]) | {
                "loops": num_loops,
                "markers": sum(
                    has_new_marker(s, t) for (s, _), t in zip(columns, texts, strict=True)
                ),
            }
    return found


def _scores(texts: list[str], references: list[str]) -> dict[str, Any]:
    bleu = BLEU()
    return {
        "bleu": round(bleu.corpus_score(texts, [references]).score, 2),
        "chrf": round(CHRF().corpus_score(texts, [references]).score, 2),
        "empty": sum(not text.strip() for text in texts),
        "signature": str(bleu.get_signature()),
    }


def has_new_marker(source: str, output: str) -> bool:
    """Whether `output` has a format marker or broken character, and `source` has none."""
    return bool(_FORMAT_MARKER.search(output)) and not _FORMAT_MARKER.search(source)


def _brief(found: dict[str, Any]) -> str:
    return ", ".join(f"{search}: {s['bleu']} / {s['chrf']}" for search, s in found.items())


def translated(
    sessions: Sessions,
    pair: LanguagePair,
    sources: Sequence[str],
    beam_size: int,
    length_penalty: float,
) -> tuple[list[str], int]:
    """Translations, empty where the source is too long, and the number that loop."""
    bundle = sessions.bundle
    encoded = [tuple(bundle.tokenizer.encode_source(text, pair)) for text in sources]
    fitting = [i for i, ids in enumerate(encoded) if len(ids) <= bundle.manifest.max_source_tokens]
    options = DecodeOptions(
        beam_size=beam_size,
        length_penalty=length_penalty,
        max_target_tokens=bundle.manifest.max_target_tokens,
        with_scores=False,
    )
    texts, num_loops = [""] * len(sources), 0
    stream = decode_stream(sessions, [encoded[i] for i in fitting], options)
    for index, hypotheses in tqdm(stream, total=len(fitting), disable=None, leave=False):
        place, ids = fitting[index], hypotheses[0].target_ids
        texts[place] = bundle.tokenizer.decode_target(ids)
        num_loops += bool(ids) and longest_repetition(ids) > max_loop_tokens(encoded[place])
    return texts, num_loops


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality.by_set", description=__doc__
    )
    parser.add_argument("subject", type=Path, help="folder of a bundle, or a checkpoint")
    parser.add_argument("sets", type=Path, nargs="+", help="source, tab, target[, tab, name]")
    parser.add_argument("--data", type=Path, help="folder of the run's data, for a checkpoint")
    parser.add_argument("--beams", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--length-penalty", type=float, default=1.0)
    parser.add_argument(
        "--limit", type=int, default=300, help="maximum pairs of a set, drawn by seed"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="file for the figures, besides standard output")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
