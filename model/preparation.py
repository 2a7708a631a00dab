"""From a run's configuration and a data folder to what the trainer needs."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sentencepiece import SentencePieceProcessor
from tqdm import tqdm

from model.batching import EncodedCorpus, encode_corpus
from model.checkpoint import TOKENIZER_NAME
from model.config import RunConfig
from model.corpus import SentencePair, read_pairs
from model.errors import CorpusError
from model.tokenizer import load_tokenizer, train_tokenizer
from model.trainer import TrainingData

CORPUS_NAME = "corpus.npz"


def prepare(config: RunConfig, data: Path, out: Path, *, is_resumed: bool = False) -> TrainingData:
    """Read, tokenise and weight the data of a run.

    Args:
        config: Of the run.
        data: Folder that its paths start at.
        out: Folder of the run, where tokenizer and encoded corpus are kept.
        is_resumed: Use those that are there. A run that begins never does: they may be left over
            from another configuration.

    Raises:
        CorpusError: The data cannot be used; bad lines alone are only reported.
        ConfigError: The tokenizer cannot be trained as it is configured.
        CheckpointError: The run that is resumed lacks its tokenizer.
    """
    pairs = _training_pairs(config, data)
    path = out / TOKENIZER_NAME
    if is_resumed:
        tokenizer = load_tokenizer(path)
    else:
        tokenizer = train_tokenizer(pairs, config.tokenizer, path, seed=config.training.seed)
    return TrainingData(
        corpus=_corpus(config, pairs, tokenizer, out / CORPUS_NAME, is_resumed=is_resumed),
        dev=_development_pairs(config, data, tokenizer),
        tokenizer=tokenizer,
        num_pairs=dict(Counter(p.origin for p in pairs)),
    )


def _training_pairs(config: RunConfig, data: Path) -> list[SentencePair]:
    pairs: list[SentencePair] = []
    for where in config.data.train:
        found, report = read_pairs(where, data)
        tqdm.write(report.describe(str(where)))
        pairs += found
    weights = _weights(config)
    chosen = [p for p in pairs if not weights or weights.get(p.origin, 0) > 0]
    if not chosen:
        raise CorpusError("no training pair has a source that data.sources names")
    return chosen


def _development_pairs(
    config: RunConfig, data: Path, tokenizer: SentencePieceProcessor
) -> tuple[SentencePair, ...]:
    """The first that are short enough for the model."""
    pairs, report = read_pairs(config.data.dev, data)
    tqdm.write(report.describe(str(config.data.dev)))
    longest = config.data.max_tokens - 1  # and the end token
    kept = [
        p
        for p in pairs[: config.training.validation_sentences]
        if max(len(tokenizer.encode(text)) for text in (p.source, p.target)) <= longest
    ]
    if not kept:
        raise CorpusError(f"{config.data.dev}: no pair is within data.max_tokens")
    return tuple(kept)


def _corpus(
    config: RunConfig,
    pairs: Sequence[SentencePair],
    tokenizer: SentencePieceProcessor,
    path: Path,
    *,
    is_resumed: bool,
) -> EncodedCorpus:
    if is_resumed and path.exists():
        with np.load(path) as arrays:
            return EncodedCorpus(**arrays)
    weights = _weights(config)
    pair_weights = [weights.get(p.origin, 1.0) for p in pairs]
    corpus = encode_corpus(pairs, pair_weights, tokenizer, max_tokens=config.data.max_tokens)
    names = EncodedCorpus.__slots__
    np.savez(path, **{name: getattr(corpus, name) for name in names})
    return corpus


def _weights(config: RunConfig) -> dict[str, float]:
    """How often an epoch sees the pairs of each source; empty where none is named."""
    return {s.name: s.weight for s in config.data.sources}
