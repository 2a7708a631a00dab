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


def prepare(config: RunConfig, data: Path, out: Path) -> TrainingData:
    """Read, tokenise and weight the data of a run.

    Tokenizer and encoded corpus are kept in the run's folder `out` and used again on resume.

    Raises:
        CorpusError: The data cannot be used; bad lines alone are only reported.
    """
    dev, report = read_pairs(config.data.dev, data)
    tqdm.write(report.describe(str(config.data.dev)))
    pairs = _read_training_pairs(config, data)
    weights = {s.name: s.weight for s in config.data.sources}
    chosen = [p for p in pairs if not weights or weights.get(p.origin, 0) > 0]
    if not chosen:
        raise CorpusError("no training pair has a source that data.sources names")
    tokenizer = _tokenizer(config, chosen, out)
    return TrainingData(
        corpus=_corpus(config, chosen, weights, tokenizer, out),
        dev=tuple(dev[: config.training.validation_sentences]),
        tokenizer=tokenizer,
        num_pairs=dict(Counter(p.origin for p in chosen)),
    )


def _read_training_pairs(config: RunConfig, data: Path) -> list[SentencePair]:
    pairs: list[SentencePair] = []
    for where in config.data.train:
        found, report = read_pairs(where, data)
        tqdm.write(report.describe(str(where)))
        pairs += found
    return pairs


def _tokenizer(
    config: RunConfig, pairs: Sequence[SentencePair], out: Path
) -> SentencePieceProcessor:
    path = out / TOKENIZER_NAME
    if path.exists():
        return load_tokenizer(path)
    return train_tokenizer(pairs, config.tokenizer, path, seed=config.training.seed)


def _corpus(
    config: RunConfig,
    pairs: Sequence[SentencePair],
    weights: dict[str, float],
    tokenizer: SentencePieceProcessor,
    out: Path,
) -> EncodedCorpus:
    path = out / CORPUS_NAME
    if path.exists():
        with np.load(path) as arrays:
            return EncodedCorpus(**arrays)
    pair_weights = [weights.get(p.origin, 1.0) for p in pairs]
    corpus = encode_corpus(pairs, pair_weights, tokenizer, max_tokens=config.data.max_tokens)
    names = EncodedCorpus.__slots__
    np.savez(path, **{name: getattr(corpus, name) for name in names})
    return corpus
