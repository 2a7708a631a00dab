"""Text to token ids and back, with the bundle's SentencePiece models."""

from collections.abc import Sequence
from pathlib import Path

import sentencepiece

from bundle.manifest import LanguagePair, SpecialIds

Span = tuple[int, int]
"""Where a piece begins and ends, in characters."""


class Tokenizer:
    """Both sides of a bundle's vocabulary; safe to share between threads."""

    def __init__(self, source: Path, target: Path | None, special_ids: SpecialIds) -> None:
        """Load `source.spm`, and `target.spm` where the sides differ (None: they share one).

        Raises:
            OSError, RuntimeError: A file is missing or is no SentencePiece model.
        """
        self._source = sentencepiece.SentencePieceProcessor(model_file=str(source))
        self._target = (
            sentencepiece.SentencePieceProcessor(model_file=str(target)) if target else self._source
        )
        self._special_ids = special_ids

    @property
    def vocab_size(self) -> int:
        """Pieces on the target side."""
        return int(self._target.vocab_size())

    @property
    def source_vocab_size(self) -> int:
        """Pieces on the source side."""
        return int(self._source.vocab_size())

    def source_id(self, piece: str) -> int:
        """Id of a source piece; the unknown id if there is none."""
        return int(self._source.piece_to_id(piece))

    def target_id(self, piece: str) -> int:
        """Id of a target piece; the unknown id if there is none."""
        return int(self._target.piece_to_id(piece))

    def encode_source(self, text: str, pair: LanguagePair) -> list[int]:
        """Ids of `text` as the encoder takes them: language prefix, pieces, end token."""
        return [*self._prefix_ids(pair), *self._source.encode(text), self._special_ids.eos]

    def encode_target(self, text: str) -> list[int]:
        """Ids of a given translation: pieces and end token, without the start token."""
        return [*self._target.encode(text), self._special_ids.eos]

    def decode_target(self, target_ids: Sequence[int]) -> str:
        """Text of generated ids; the end token and other control ids leave no trace."""
        return str(self._target.decode(list(target_ids)))

    def source_spans(self, text: str) -> list[Span]:
        """Where in `text` each piece of `encode_source` is, without language prefix and end token.

        One piece begins where the one before ends; only white space around the text is in none. Of
        a character that is spelt in bytes, the last byte has it and the others are empty.
        """
        encoded = self._source.encode(text, return_type="offset_mapping")
        return [(begin, end) for begin, end in encoded["offsets"]]

    def source_text_and_spans(self, source_ids: Sequence[int]) -> tuple[str, list[Span]]:
        """The text behind ids of `encode_source`, and where in it the text of each is."""
        return _text_and_spans(self._source, source_ids)

    def target_text_and_spans(self, target_ids: Sequence[int]) -> tuple[str, list[Span]]:
        """What `decode_target` gives, and where in it the text of each id is.

        The spans of control ids are empty, and so are those of all but the last byte of a
        character that is spelt in bytes.
        """
        return _text_and_spans(self._target, target_ids)

    def source_pieces(self, source_ids: Sequence[int]) -> list[str]:
        """The piece behind each id, as the model saw it."""
        return [self._source.id_to_piece(i) for i in source_ids]

    def target_pieces(self, target_ids: Sequence[int]) -> list[str]:
        """The piece behind each id, as the model wrote it."""
        return [self._target.id_to_piece(i) for i in target_ids]

    def _prefix_ids(self, pair: LanguagePair) -> list[int]:
        if pair.source_prefix is None:
            return []
        return [self.source_id(pair.source_prefix)]


def _text_and_spans(
    processor: sentencepiece.SentencePieceProcessor, ids: Sequence[int]
) -> tuple[str, list[Span]]:
    decoded = processor.decode(list(ids), return_type="offset_mapping")
    return decoded["text"], [(begin, end) for begin, end in decoded["offsets"]]
