"""What a run trains and validates on, as one value."""

from dataclasses import dataclass

from sentencepiece import SentencePieceProcessor

from model.alignment import CorpusLinks
from model.batching import EncodedCorpus
from model.validation import ValidationSet


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """Prepared, filtered and encoded."""

    corpus: EncodedCorpus
    validation: tuple[ValidationSet, ...]
    tokenizer: SentencePieceProcessor
    num_pairs: dict[str, int]
    """Training pairs by source."""
    links: CorpusLinks | None = None
    """Of the corpus, where a head is guided."""
