"""The data of a run, prepared for training and validation."""

from dataclasses import dataclass

from sentencepiece import SentencePieceProcessor

from model.data.batching import EncodedCorpus
from model.training.validation import ValidationSet


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """Encoded training pairs, validation sets and the tokenizer."""

    corpus: EncodedCorpus
    validation: tuple[ValidationSet, ...]
    tokenizer: SentencePieceProcessor
    num_pairs: dict[str, int]
    """Training pairs by source."""
