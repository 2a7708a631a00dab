"""Trains, exports and serves every alternative part: `python -m tests.end_to_end.alternatives`.

Each learns to copy as the default model does, and becomes a bundle in both precisions. Prints a
table: what it costs in quality, how far the graphs are from the network, what the engine copies.
"""

import argparse
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from bundle.manifest import Manifest, Precision
from bundle.reader import read_bundle
from export.exporter import export_bundle
from service.engine.graphs.sessions import open_sessions
from service.engine.offline import decode_batch
from service.engine.search.options import DecodeOptions
from tests.end_to_end.copy_task import (
    CONFIG,
    NUM_HELD_OUT,
    export_options,
    sentences,
    train_copy_model,
)

ALTERNATIVES: dict[str, str] = {
    "post-norm, ReLU, sinusoids, scaled dot": "",
    "pre-norm": 'norm_position = "pre"',
    "GELU": 'activation = "gelu"',
    "Swish": 'activation = "swish"',
    "learned positions": 'positions = "learned"',
    "relative positions": 'positions = "relative"',
    "rotary positions": 'positions = "rotary"',
    "additive scores": 'attention_score = "additive"',
    "bilinear scores": 'attention_score = "bilinear"',
    "Euclidean scores": 'attention_score = "euclidean"',
    "cosine scores": 'attention_score = "cosine"',
}
"""What each changes in the section `[architecture]` of the copying model."""
PRECISIONS: tuple[Precision, ...] = ("fp32", "int8")
MIN_COPIED = 0.9
MAX_BLEU_LOSS = 2.0
"""A model of this size loses more by int8 than one that is worth serving."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What became of one alternative in one precision."""

    name: str
    manifest: Manifest
    copied: float
    """Share of held-out sentences that the engine's greedy search copies."""

    @property
    def is_passed(self) -> bool:
        """Whether it learnt the task, and the engine does as the network does."""
        parity = self.manifest.parity
        is_identical = parity.identical_sentences == parity.sentences
        return is_identical and self.copied >= MIN_COPIED

    def __str__(self) -> str:
        parity = self.manifest.parity
        worst = max(v or 0 for n, v in parity.model_dump().items() if n.endswith("_error"))
        return (
            f"| {self.name} | {self.manifest.precision} "
            f"| {self.manifest.architecture.attention_operator} | {self.copied:.1%} "
            f"| {parity.identical_sentences} of {parity.sentences} | {worst:.1e} |"
        )


def configured(change: str) -> str:
    """The copying model's configuration with something else in its architecture."""
    text = CONFIG.replace("[training]", f"{change}\n\n[training]")
    # Without a place of its own a token is found by its neighbours, which takes a layer more.
    is_rotary = '"rotary"' in change
    return text.replace("encoder_layers = 1", "encoder_layers = 2") if is_rotary else text


def measure(name: str, folder: Path) -> list[Row]:
    """Train and export one alternative in `folder`."""
    folder.mkdir()
    checkpoint = train_copy_model(folder, configured(ALTERNATIVES[name]))
    rows = []
    for precision in PRECISIONS:
        options = export_options(checkpoint, folder / precision, precision)
        manifest = export_bundle(replace(options, max_bleu_loss=MAX_BLEU_LOSS))
        rows.append(Row(name=name, manifest=manifest, copied=_copied(folder / precision)))
    return rows


def _copied(path: Path) -> float:
    bundle = read_bundle(path)
    texts = sentences(NUM_HELD_OUT, seed=1)
    sources = [bundle.tokenizer.encode_source(t, bundle.manifest.pairs[0]) for t in texts]
    options = DecodeOptions(max_target_tokens=64, with_scores=False)
    found = decode_batch(open_sessions(bundle), sources, options)
    copies = [bundle.tokenizer.decode_target(h[0].target_ids) for h in found]
    return sum(a == b for a, b in zip(copies, texts, strict=True)) / len(texts)


def main() -> int:
    """Returns 1 where an alternative did not learn, or was served otherwise than it learnt."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("names", nargs="*", help=f"of: {', '.join(ALTERNATIVES)}; default: all")
    names = parser.parse_args().names or list(ALTERNATIVES)
    print("| part | precision | attention | copied | as in torch | largest error |")
    print("|---|---|---|---|---|---|", flush=True)
    is_passed = True
    with tempfile.TemporaryDirectory() as folder:
        for i, name in enumerate(names):
            for row in measure(name, Path(folder) / str(i)):
                print(row, flush=True)
                is_passed = is_passed and row.is_passed
    return 0 if is_passed else 1


if __name__ == "__main__":
    sys.exit(main())
