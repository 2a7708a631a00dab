"""The network and the sentences that the engines are compared on."""

import lzma
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import sacrebleu

from benchmarks.contestants.interface import Request
from bundle.reader import Bundle
from export.recovery.network import network_of_bundle
from model.training.checkpoint import load_checkpoint
from model.transformer import Transformer

ModelName = Literal["default", "base"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceModel:
    """Weights and sentences of all contestants."""

    name: ModelName
    network: Transformer
    weights: str
    """Origin of the weights."""
    bundles: tuple[Bundle, ...]
    """Exports of `network`."""
    requests: tuple[Request, ...]
    references: tuple[str, ...] | None
    """Reference translations; None for random weights."""

    @property
    def pieces(self) -> list[str]:
        """The vocabulary."""
        bundle = self.bundles[0]
        return bundle.tokenizer.target_pieces(range(bundle.manifest.architecture.vocab_size))

    def bleu(self, targets: Sequence[Sequence[int]]) -> float | None:
        """BLEU of translations of the first sentences."""
        if self.references is None:
            return None
        texts = [self.bundles[0].tokenizer.decode_target(ids) for ids in targets]
        score = sacrebleu.corpus_bleu(texts, [list(self.references[: len(texts)])]).score
        return round(float(score), 2)


def trained_model(
    bundles: Sequence[Bundle], checkpoint: Path | None, pairs: Sequence[tuple[str, str]]
) -> ReferenceModel:
    """A trained network, from its checkpoint or else from the first bundle."""
    bundle = bundles[0]
    manifest = bundle.manifest
    if checkpoint is not None:
        network, weights = load_checkpoint(checkpoint).model, "checkpoint"
    else:
        network, weights = network_of_bundle(bundle), f"bundle, {manifest.precision}, dequantised"
    kept = [(ids, text) for ids, text in encode(bundle, pairs) if _fits(bundle, ids)]
    return ReferenceModel(
        name="default",
        network=network,
        weights=weights,
        bundles=tuple(bundles),
        requests=tuple(
            Request(source_ids=ids, max_target_tokens=manifest.max_target_tokens) for ids, _ in kept
        ),
        references=tuple(text for _, text in kept),
    )


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Source and target, the first two columns of a tab-separated file, plain or .xz."""
    content = path.read_bytes()
    text = (lzma.decompress(content) if path.suffix == ".xz" else content).decode()
    columns = [line.split("\t") for line in text.splitlines() if line]
    return [(line[0], line[1]) for line in columns]


def encode(bundle: Bundle, pairs: Sequence[tuple[str, str]]) -> list[tuple[tuple[int, ...], str]]:
    """Source ids and reference of every pair."""
    direction = bundle.manifest.pairs[0]
    encode_source = bundle.tokenizer.encode_source
    return [(tuple(encode_source(source, direction)), target) for source, target in pairs]


def _fits(bundle: Bundle, source_ids: Sequence[int]) -> bool:
    return len(source_ids) <= bundle.manifest.max_source_tokens
