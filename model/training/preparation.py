"""Prepares the data of a run: reads, filters, augments, tokenises and aligns it."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from sentencepiece import SentencePieceProcessor
from tqdm import tqdm

from model.config import RunConfig
from model.data.augmentation import augmented
from model.data.batching import EncodedCorpus, encode_corpus
from model.data.cleaning import cleaned
from model.data.corpus import SentencePair, read_pairs
from model.data.filtering import filtered
from model.data.held_out import (
    HELD_OUT_NAME,
    choose_held_out,
    without_texts_of,
    words_alone,
    write_pairs,
)
from model.data.scoring import dual_cross_entropies, likeliest
from model.data.tokenizer import load_tokenizer, train_tokenizer
from model.errors import CheckpointError, ConfigError, CorpusError
from model.training.checkpoint import (
    AVERAGED_NAME,
    BEST_NAME,
    TOKENIZER_NAME,
    check_weights,
    load_checkpoint,
)
from model.training.training_data import TrainingData
from model.training.validation import ValidationSet
from model.transformer import Transformer

CORPUS_NAME = "corpus.npz"
COUNTS_NAME = "pairs.json"
MAX_NAMED_SOURCES = 10


def prepare(
    config: RunConfig,
    data: Path,
    out: Path,
    *,
    is_resumed: bool = False,
    start: Path | None = None,
) -> TrainingData:
    """Read, filter, augment, tokenise and weight the data of a run.

    Args:
        config: Configuration of the run.
        data: Folder that its paths are relative to.
        out: Folder of the run, which keeps tokenizer, held-out pairs and encoded corpus.
        is_resumed: Reuse these files. A new run ignores them: they may be left over from another
            configuration.
        start: Checkpoint that the run begins from: its vocabulary is used instead of a new one, and
            its model scores the sources with a `keep_best`.

    Raises:
        CorpusError: The data cannot be used; bad lines alone are only reported.
        ConfigError: The tokenizer cannot be trained as configured or lacks a piece, a source is
            named twice, or has a `keep_best` without a `start`.
        CheckpointError: The resumed run lacks its tokenizer or its prepared data, or `start` cannot
            be used.
    """
    dev = _read([config.data.dev], data)
    if is_resumed and (out / COUNTS_NAME).exists():
        prepared = _prepared_before(config, out)
    else:
        prepared = _prepared_anew(config, data, dev, out, start, is_resumed=is_resumed)
    corpus, tokenizer, held_out = prepared.corpus, prepared.tokenizer, prepared.held_out
    return TrainingData(
        corpus=corpus,
        validation=tuple(_validation_sets(config, dev, held_out, tokenizer)),
        tokenizer=tokenizer,
        num_pairs=prepared.num_pairs,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """The data that the folder of a run keeps for a resume."""

    corpus: EncodedCorpus
    tokenizer: SentencePieceProcessor
    held_out: list[SentencePair]
    num_pairs: dict[str, int]


def _prepared_before(config: RunConfig, out: Path) -> _Prepared:
    tokenizer = load_tokenizer(out / TOKENIZER_NAME)
    _check_prefixes(config, tokenizer)
    has_held_out = (out / HELD_OUT_NAME).exists()
    try:
        # numpy leaves a file open that it opened itself and cannot read.
        with (out / CORPUS_NAME).open("rb") as file, np.load(file) as arrays:
            corpus = EncodedCorpus(**arrays)
        num_pairs = json.loads((out / COUNTS_NAME).read_text(encoding="utf-8"))
    except (OSError, EOFError, TypeError, ValueError, BadZipFile) as error:
        raise CheckpointError(
            f"the prepared data of {out} cannot be read: remove {CORPUS_NAME} and {COUNTS_NAME}, "
            "and --resume prepares it anew"
        ) from error
    return _Prepared(
        corpus=corpus,
        tokenizer=tokenizer,
        held_out=read_pairs(HELD_OUT_NAME, out)[0] if has_held_out else [],
        num_pairs=num_pairs,
    )


def _prepared_anew(
    config: RunConfig,
    data: Path,
    dev: Sequence[SentencePair],
    out: Path,
    start: Path | None,
    *,
    is_resumed: bool,
) -> _Prepared:
    _check_sources(config, start)
    pairs = _read(config.data.train, data)
    never = _read(config.data.held_out, data)
    pairs, held_out = _divided(config, without_texts_of(pairs, never, key=words_alone), dev)
    for name in (COUNTS_NAME, HELD_OUT_NAME):
        (out / name).unlink(missing_ok=True)
    tokenizer = _tokenizer(config, pairs, out, start, is_resumed=is_resumed)
    _check_prefixes(config, tokenizer)
    pairs = _likeliest(config, pairs, tokenizer, start)
    if held_out:
        write_pairs(out / HELD_OUT_NAME, held_out)
    corpus = _corpus(config, pairs, tokenizer, out / CORPUS_NAME, is_resumed=is_resumed)
    num_pairs = dict(Counter(p.origin for p in pairs))
    # Written last: if it exists, the other files are complete.
    (out / COUNTS_NAME).write_text(json.dumps(num_pairs), encoding="utf-8")
    return _Prepared(corpus=corpus, tokenizer=tokenizer, held_out=held_out, num_pairs=num_pairs)


def _tokenizer(
    config: RunConfig,
    pairs: Sequence[SentencePair],
    out: Path,
    start: Path | None,
    *,
    is_resumed: bool,
) -> SentencePieceProcessor:
    """The tokenizer of the run, of the checkpoint that it begins from, or a new one."""
    path = out / TOKENIZER_NAME
    if is_resumed:
        return load_tokenizer(path)
    if start is None:
        return train_tokenizer(pairs, config.tokenizer, path, seed=config.training.seed)
    tokenizer = load_tokenizer(start.parent / TOKENIZER_NAME)
    path.write_bytes((start.parent / TOKENIZER_NAME).read_bytes())
    return tokenizer


def _check_sources(config: RunConfig, start: Path | None) -> None:
    names = Counter(s.name for s in config.data.sources)
    faults = [f"{name} is named {count} times" for name, count in names.items() if count > 1]
    faults += [
        f"keep_best of {s.name} needs --from: weights that score its pairs"
        for s in config.data.sources
        if s.keep_best < 1 and start is None
    ]
    if faults:
        raise ConfigError("data.sources", faults)


def check_start(config: RunConfig, start: Path) -> None:
    """Check the checkpoint that a run begins from, before all of its text is read and encoded.

    Raises:
        CheckpointError: It or its vocabulary cannot be read, or its architecture differs.
    """
    if start.is_dir():
        raise CheckpointError(f"{start} is a folder: name {AVERAGED_NAME} or {BEST_NAME} in it")
    load_tokenizer(start.parent / TOKENIZER_NAME)
    model = load_checkpoint(start).model
    wanted = Transformer(config.architecture.with_vocabulary(model.architecture.vocab_size))
    check_weights(dict(wanted.named_parameters()), dict(model.named_parameters()))


def _likeliest(
    config: RunConfig,
    pairs: list[SentencePair],
    tokenizer: SentencePieceProcessor,
    start: Path | None,
) -> list[SentencePair]:
    """The pairs, reduced to the likeliest share in sources with a `keep_best`."""
    shares = {s.name: s.keep_best for s in config.data.sources if s.keep_best < 1}
    if start is None or not shares:
        return pairs
    is_bf16 = config.training.precision == "bf16"
    model = load_checkpoint(start).model.to(torch.bfloat16 if is_bf16 else torch.float32)
    for name, share in shares.items():
        candidates = _short_enough([p for p in pairs if p.origin == name], config, tokenizer)
        scores = dual_cross_entropies(model, tokenizer, candidates, config.data.directions)
        kept = set(likeliest(candidates, scores, share))
        tqdm.write(f"{name}: the {len(kept)} likeliest of {len(candidates)} pairs kept")
        pairs = [p for p in pairs if p.origin != name or p in kept]
    return pairs


def _read(files: Sequence[str | tuple[str, str]], data: Path) -> list[SentencePair]:
    pairs: list[SentencePair] = []
    for where in files:
        found, report = read_pairs(where, data)
        tqdm.write(report.describe(str(where)))
        pairs += found
    return pairs


def _divided(
    config: RunConfig, pairs: list[SentencePair], dev: Sequence[SentencePair]
) -> tuple[list[SentencePair], list[SentencePair]]:
    """Training pairs and held-out pairs, disjoint from each other and the development pairs."""
    weights = _weights(config)
    if weights:
        _report_sources(pairs, weights)
    chosen = [p for p in pairs if not weights or weights.get(p.origin, 0) > 0]
    if pairs and not chosen:
        raise CorpusError("no training pair has a source that data.sources names")
    if config.data.is_cleaned:
        chosen, faults = cleaned(chosen)
        _report(faults)
    if config.data.is_filtered:
        chosen, faults = filtered(chosen)
        _report(faults)
    chosen = without_texts_of(chosen, dev)
    counts = {s.name: s.held_out for s in config.data.sources if s.held_out}
    held_out = choose_held_out(chosen, counts, seed=config.training.seed)
    kept = without_texts_of(chosen, held_out)
    if not kept:
        raise CorpusError(
            "no pair is left to train on: those not reported above share a side with a development "
            "or held-out pair"
        )
    return kept, held_out


def _report_sources(pairs: Sequence[SentencePair], weights: Mapping[str, float]) -> None:
    """Report what a misspelt name in `data.sources` leaves out."""
    counts = Counter(p.origin for p in pairs)
    unnamed = Counter({name: count for name, count in counts.items() if name not in weights})
    if unnamed:
        named = [f"{count} of {name}" for name, count in unnamed.most_common(MAX_NAMED_SOURCES)]
        named += ["..."] if len(unnamed) > MAX_NAMED_SOURCES else []
        listed = ", ".join(named)
        tqdm.write(f"left out, because data.sources does not name their source: {listed}")
    absent = [name for name in weights if name not in counts]
    if absent:
        tqdm.write(f"data.sources names what no pair comes from: {', '.join(absent)}")


def _report(faults: Counter[str]) -> None:
    tqdm.write(f"left out: {', '.join(f'{n} {fault}' for fault, n in faults.most_common())}")


def _check_prefixes(config: RunConfig, tokenizer: SentencePieceProcessor) -> None:
    prefixes = [d.prefix for d in config.data.directions if d.prefix]
    missing = [p for p in prefixes if tokenizer.piece_to_id(p) == tokenizer.unk_id()]
    if missing:
        raise ConfigError("tokenizer", [f"the vocabulary has no piece {p}" for p in missing])


def _validation_sets(
    config: RunConfig,
    dev: Sequence[SentencePair],
    held_out: Sequence[SentencePair],
    tokenizer: SentencePieceProcessor,
) -> Iterator[ValidationSet]:
    """The first pairs of each set that are short enough for the model, in every direction."""
    sources = {
        n: [p for p in held_out if p.origin == n] for n in config.training.validation_sources
    }
    for name, pairs in {"dev": dev, **sources}.items():
        kept = _short_enough(pairs[: config.training.validation_sentences], config, tokenizer)
        if not kept:
            raise CorpusError(f"{name}: no pair is within data.max_tokens")
        for direction in config.data.directions:
            directed = tuple(pair.towards(direction) for pair in kept)
            yield ValidationSet(name=f"{name} {direction}", pairs=directed)


def _short_enough(
    pairs: Sequence[SentencePair], config: RunConfig, tokenizer: SentencePieceProcessor
) -> list[SentencePair]:
    longest = config.data.max_tokens - 2  # a prefix and the end token
    return [
        p
        for p in pairs
        if max(len(tokenizer.encode(text)) for text in (p.source, p.target)) <= longest
    ]


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
    directed = list(_directed(config, pairs))
    weights = _weights(config)
    pair_weights = [weights.get(p.origin, 1.0) for p in directed]
    corpus = encode_corpus(directed, pair_weights, tokenizer, max_tokens=config.data.max_tokens)
    names = EncodedCorpus.__slots__
    np.savez(path, **{name: getattr(corpus, name) for name in names})
    return corpus


def _directed(config: RunConfig, pairs: Sequence[SentencePair]) -> Iterator[SentencePair]:
    """All pairs and their variants, in every direction."""
    for direction in config.data.directions:
        directed = [pair.towards(direction) for pair in pairs]
        yield from directed
        yield from augmented(
            directed, config.augmentation, seed=f"{config.training.seed} {direction}"
        )


def _weights(config: RunConfig) -> dict[str, float]:
    """Weights of the named sources; empty without any."""
    return {s.name: s.weight for s in config.data.sources}
