"""Trains the shared SentencePiece vocabulary of a run."""

import io
import random
from collections.abc import Sequence
from pathlib import Path

import sentencepiece

from model.config import TokenizerConfig
from model.data.corpus import SentencePair
from model.errors import CheckpointError, ConfigError

PLACEHOLDERS = tuple(f"⟦{digit}⟧" for digit in range(10))
"""Symbols that stand for what must not be translated; each is one piece."""

SPLIT_SHARE = 0.15
"""Share of the pieces that `in_smaller_pieces` splits."""


def train_tokenizer(
    pairs: Sequence[SentencePair], config: TokenizerConfig, path: Path, *, seed: int
) -> sentencepiece.SentencePieceProcessor:
    """Learn pieces from both sides of `pairs` and write the model to `path`.

    Text is not normalised beyond folding white space: what a user wrote must come back, and byte
    fallback leaves no character without pieces. Ids: 0 padding, 1 unknown, 2 start, 3 end, then
    language tags and placeholders.

    Raises:
        ConfigError: The vocabulary cannot have the size that is asked for.
    """
    sample = random.Random(seed).sample(pairs, min(len(pairs), config.sample_sentences // 2))
    sentences = [text for pair in sample for text in (pair.source, pair.target)]
    model = io.BytesIO()
    try:
        _train(sentences, model, config)
    except RuntimeError as error:
        raise ConfigError("tokenizer", [str(error)]) from error
    path.write_bytes(model.getvalue())
    return load_tokenizer(path)


def load_tokenizer(path: Path) -> sentencepiece.SentencePieceProcessor:
    """The tokenizer of a run.

    Raises:
        CheckpointError: It is missing or broken.
    """
    try:
        return sentencepiece.SentencePieceProcessor(model_file=str(path))
    except (OSError, RuntimeError) as error:
        raise CheckpointError(f"tokenizer {path} cannot be read: {error}") from error


def in_smaller_pieces(
    ids: Sequence[int], tokenizer: sentencepiece.SentencePieceProcessor, rng: random.Random
) -> list[int]:
    """The same text with random pieces split in two, if both halves are in the vocabulary.

    Rare words then share pieces with frequent ones: BPE dropout (Provilkov et al. 2020) for any
    vocabulary.
    """
    pieces: list[int] = []
    for piece_id in ids:
        is_split = rng.random() < SPLIT_SHARE
        pieces += _halves(piece_id, tokenizer, rng) if is_split else [piece_id]
    return pieces


def _halves(
    piece_id: int, tokenizer: sentencepiece.SentencePieceProcessor, rng: random.Random
) -> list[int]:
    """Two pieces that form `piece_id` together, or `piece_id` if there are none."""
    if tokenizer.is_control(piece_id) or tokenizer.is_byte(piece_id):
        return [piece_id]
    piece = tokenizer.id_to_piece(piece_id)
    if piece in PLACEHOLDERS:
        return [piece_id]
    cuts = list(range(1, len(piece)))
    rng.shuffle(cuts)
    for cut in cuts:
        halves = [tokenizer.piece_to_id(half) for half in (piece[:cut], piece[cut:])]
        if tokenizer.unk_id() not in halves:
            return halves
    return [piece_id]


def _train(sentences: Sequence[str], model: io.BytesIO, config: TokenizerConfig) -> None:
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=model,
        model_type=config.kind,
        vocab_size=config.vocab_size,
        # A small corpus may not fill the vocabulary; the size of the graphs follows the result.
        hard_vocab_limit=False,
        character_coverage=0.9999,
        byte_fallback=True,
        normalization_rule_name="identity",
        user_defined_symbols=[*config.language_tags, *PLACEHOLDERS[: config.num_placeholders]],
        pad_id=0,
        unk_id=1,
        bos_id=2,
        eos_id=3,
        num_threads=2,
        minloglevel=2,
    )
