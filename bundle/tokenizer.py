"""Text to token ids and back, with the bundle's SentencePiece models."""

from collections.abc import Sequence
from pathlib import Path

import sentencepiece

from bundle.manifest import Architecture, LanguagePair, SpecialIds

Span = tuple[int, int]
"""Begin and end of a piece, in characters."""


class Tokenizer:
    """Both sides of a bundle's vocabulary; safe to share between threads."""

    def __init__(
        self,
        source: Path | bytes,
        target: Path | bytes | None,
        special_ids: SpecialIds,
        architecture: Architecture | None = None,
    ) -> None:
        """Load `source.spm`, and `target.spm` where the sides differ.

        Args:
            source: File of a SentencePiece model, or its content.
            target: The same; None: both sides share `source`.
            special_ids: In the vocabulary of the graphs.
            architecture: Gives the number of ids of the graphs; further pieces of a model are
                unknown to them. None: the graphs know all pieces.

        Raises:
            OSError, RuntimeError: A file is missing or is no SentencePiece model.
        """
        self._source = _load(source)
        self._target = self._source if target is None else _load(target)
        self._special_ids = special_ids
        self._source_pieces = _Pieces(self._source)
        self._target_pieces = _Pieces(self._target)
        self.vocab_size = int(self._target.vocab_size())
        """Ids on the target side."""
        self.source_vocab_size = int(self._source.vocab_size())
        """Ids on the source side."""
        if architecture is not None:
            self.vocab_size = architecture.vocab_size
            self.source_vocab_size = architecture.source_vocab_size or architecture.vocab_size

    def faults(self, *, may_have_more: bool) -> list[str]:
        """Mismatches between the models and the graphs.

        Args:
            may_have_more: A foreign vocabulary may lack pieces of its SentencePiece model.
        """
        sides = [("tokenizer", self._target, self.vocab_size)]
        if self._source is not self._target:
            sides.append(("source tokenizer", self._source, self.source_vocab_size))
        return [
            f"{name}: {int(model.vocab_size())} pieces, the graphs have {size}"
            for name, model, size in sides
            if model.vocab_size() < size or (model.vocab_size() > size and not may_have_more)
        ]

    def has_source_piece(self, piece: str) -> bool:
        """Whether the encoder knows `piece`."""
        return self.source_id(piece) not in (self._source.unk_id(), self._special_ids.unk)

    def source_id(self, piece: str) -> int:
        """Id of a source piece; the unknown id if there is none."""
        return int(self._source.piece_to_id(piece))

    def target_id(self, piece: str) -> int:
        """Id of a target piece; the unknown id if there is none."""
        return int(self._target.piece_to_id(piece))

    def encode_source(self, text: str, pair: LanguagePair) -> list[int]:
        """Ids of `text` for the encoder: language prefix, pieces, end token."""
        ids = _encode(self._source, text, self.source_vocab_size, self._special_ids.unk)
        return [*self._prefix_ids(pair), *ids, *self._special_ids.ends_of_source]

    def encode_target(self, text: str) -> list[int]:
        """Ids of a given translation: pieces and end token, without the start token."""
        ids = _encode(self._target, text, self.vocab_size, self._special_ids.unk)
        return [*ids, self._special_ids.eos]

    def decode_target(self, target_ids: Sequence[int]) -> str:
        """Text of generated ids; the end token and other control ids are dropped."""
        return str(self._target.decode(list(target_ids)))

    def source_text(self, source_ids: Sequence[int]) -> str:
        """Text of ids of a source; control ids are dropped."""
        return str(self._source.decode(list(source_ids)))

    def source_spans(self, text: str) -> list[Span]:
        """Span in `text` of each piece of `encode_source`, without language prefix and end token.

        Spans are contiguous; only white space around the text is in none. A character that is
        spelt in bytes belongs to its last byte; the spans of the others are empty.
        """
        encoded = self._source.encode(text, return_type="offset_mapping")
        return [(begin, end) for begin, end in encoded["offsets"]]

    def source_text_and_spans(self, source_ids: Sequence[int]) -> tuple[str, list[Span]]:
        """Text of ids of `encode_source`, and the span of each id in it."""
        return _text_and_spans(self._source, source_ids)

    def target_text_and_spans(self, target_ids: Sequence[int]) -> tuple[str, list[Span]]:
        """Text of `decode_target`, and the span of each id in it.

        The spans of control ids are empty, and so are those of all but the last byte of a
        character that is spelt in bytes.
        """
        return _text_and_spans(self._target, target_ids)

    def source_pieces(self, source_ids: Sequence[int]) -> list[str]:
        """Piece of each source id."""
        return [self._source_pieces[i] for i in source_ids]

    def target_pieces(self, target_ids: Sequence[int]) -> list[str]:
        """Piece of each target id."""
        return [self._target_pieces[i] for i in target_ids]

    def _prefix_ids(self, pair: LanguagePair) -> list[int]:
        if pair.source_prefix is None:
            return []
        return [self.source_id(pair.source_prefix)]


class _Pieces(dict[int, str]):
    """Pieces by id, kept once they were asked for: the library takes a microsecond for each."""

    def __init__(self, processor: sentencepiece.SentencePieceProcessor) -> None:
        super().__init__()
        self._processor = processor

    def __missing__(self, piece_id: int) -> str:
        piece = self[piece_id] = str(self._processor.id_to_piece(piece_id))
        return piece


def _load(model: Path | bytes) -> sentencepiece.SentencePieceProcessor:
    if isinstance(model, bytes):
        return sentencepiece.SentencePieceProcessor(model_proto=model)
    return sentencepiece.SentencePieceProcessor(model_file=str(model))


def _encode(
    processor: sentencepiece.SentencePieceProcessor, text: str, num_ids: int, unk_id: int
) -> list[int]:
    """Ids of a text in a vocabulary of `num_ids`, which may differ from the model's.

    Pieces that are unknown to the model may be in the vocabulary: letters of the other language.
    """
    ids = processor.encode(text)
    if processor.unk_id() in ids:
        ids = processor.piece_to_id(processor.encode(text, out_type=str))
        # Text that looks like a control symbol is still text.
        ids = [processor.unk_id() if processor.is_control(i) else i for i in ids]
    if processor.vocab_size() > num_ids:
        ids = [i if i < num_ids else unk_id for i in ids]
    return list(ids)


def _text_and_spans(
    processor: sentencepiece.SentencePieceProcessor, ids: Sequence[int]
) -> tuple[str, list[Span]]:
    decoded = processor.decode(list(ids), return_type="offset_mapping")
    return decoded["text"], [(begin, end) for begin, end in decoded["offsets"]]
