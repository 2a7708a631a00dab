"""A SentencePiece model whose ids are those of a foreign vocabulary.

Many models cut text with SentencePiece and number the pieces in a file of their own. The pieces
are put into the order of that file here; everything else of the model stays as it is, so that a
text is cut in the same way.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from sentencepiece import sentencepiece_model_pb2

from export.errors import ExportError

_FORMAT: Any = sentencepiece_model_pb2  # its classes are made when it is imported
Piece = _FORMAT.ModelProto.SentencePiece
_TEXT = (Piece.NORMAL, Piece.USER_DEFINED, Piece.BYTE)
"""Kinds of pieces that a text is cut into."""


class _Silent:
    """Makes pieces that no text is cut into."""

    def __init__(self, proto: Any, *, is_written: bool) -> None:  # noqa: ANN401
        self._is_merged = proto.trainer_spec.model_type == _FORMAT.TrainerSpec.BPE
        self._is_written = is_written
        self._score = min(piece.score for piece in proto.pieces) - 1

    def piece(self, text: str) -> Any:  # noqa: ANN401
        """Unused, which means cut again: but merging could have taken another way by then.

        A control symbol is out of its way; only, it has no text.
        """
        is_in_the_way = self._is_merged and len(text) > 1 and not self._is_written
        kind = Piece.CONTROL if is_in_the_way else Piece.UNUSED
        return Piece(piece=text, score=self._score, type=kind)


def in_order_of(
    vocabulary: Sequence[str],
    model: bytes,
    *,
    unknown: str,
    controls: Sequence[str] = (),
    is_written: bool = False,
) -> bytes:
    """Renumber the pieces of a SentencePiece model.

    Args:
        vocabulary: The piece of every id. What the model does not know is never cut from a text,
            but can be written: it belongs to the other language.
        model: As it is in a file.
        unknown: Which of the vocabulary stands for what is not in it.
        controls: Which of it are no text, such as the end token.
        is_written: It is the target's. A target that is given, instead of written, may then be cut
            in another way where pieces came about by merging.

    Returns:
        The renumbered model. What it knows and the vocabulary does not follows behind the
        vocabulary: a text is cut into it as before, and it is unknown then.

    Raises:
        ExportError: The vocabulary cannot be numbered like that.
    """
    _check(vocabulary, unknown)
    proto = _parse(model)
    known = {piece.piece: piece for piece in proto.pieces if piece.type in _TEXT}
    no_text = {unknown, *controls}
    silent = _Silent(proto, is_written=is_written)
    pieces = [
        _special(piece, unknown) if piece in no_text else known.get(piece) or silent.piece(piece)
        for piece in vocabulary
    ]
    in_vocabulary = set(vocabulary)
    kinds = (*_TEXT, Piece.UNUSED)  # what is merged on the way to others is merged as before
    pieces += [p for p in proto.pieces if p.type in kinds and p.piece not in in_vocabulary]
    return _with_pieces(proto, pieces, unknown)


def limited_to(vocabulary: Sequence[str], model: bytes) -> bytes:
    """A model that cuts no text into pieces of several letters that `vocabulary` lacks."""
    proto, known = _parse(model), set(vocabulary)
    for piece in proto.pieces:
        is_text = piece.type in (Piece.NORMAL, Piece.BYTE)
        if is_text and len(piece.piece) > 1 and piece.piece not in known:
            piece.type = Piece.UNUSED
    return bytes(proto.SerializeToString())


def pieces_of(model: bytes) -> list[str]:
    """The vocabulary that a SentencePiece model itself is."""
    return [piece.piece for piece in _parse(model).pieces]


def read_model(path: Path) -> bytes:
    """A SentencePiece model, as it is in a file.

    Raises:
        ExportError: It is missing or broken.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ExportError(f"{path}: {error.strerror}") from error
    try:
        _parse(content)
    except ExportError as error:
        raise ExportError(f"{path}: {error}") from error
    return content


def numbered(ids: Mapping[str, int], size: int, where: str) -> list[str]:
    """The piece of every id.

    Args:
        ids: Of every piece.
        size: How many ids the weights have.
        where: Where the pieces were read, for people.

    Raises:
        ExportError: There are not exactly as many pieces, each with an id of its own.
    """
    pieces = {number: piece for piece, number in ids.items()}
    missing = [number for number in range(size) if number not in pieces]
    if len(ids) != size or missing:
        hole = f", none of them for id {missing[0]}" if missing else ""
        raise ExportError(f"{where}: {len(ids)} pieces{hole}; the weights have {size}")
    return [pieces[number] for number in range(size)]


def _parse(model: bytes) -> Any:  # noqa: ANN401
    proto = _FORMAT.ModelProto()
    try:
        proto.ParseFromString(model)
    except DecodeError as error:
        raise ExportError("no SentencePiece model, or one that is cut short") from error
    if not proto.pieces:
        raise ExportError("no SentencePiece model: it has no pieces")
    return proto


def _check(vocabulary: Sequence[str], unknown: str) -> None:
    twice = [piece for piece, count in Counter(vocabulary).items() if count > 1]
    if twice:
        raise ExportError(f"the vocabulary has {', '.join(map(repr, twice))} more than once")
    if unknown not in vocabulary:
        raise ExportError(f"the vocabulary has no piece {unknown!r} for what is not in it")


def _special(piece: str, unknown: str) -> Any:  # noqa: ANN401
    kind = Piece.UNKNOWN if piece == unknown else Piece.CONTROL
    return Piece(piece=piece, score=0.0, type=kind)


def _with_pieces(
    proto: Any,  # noqa: ANN401
    pieces: Sequence[Any],
    unknown: str,
) -> bytes:
    changed = _FORMAT.ModelProto()
    changed.CopyFrom(proto)
    del changed.pieces[:]
    changed.pieces.extend(pieces)
    trainer = changed.trainer_spec
    trainer.vocab_size = len(pieces)
    trainer.unk_piece = unknown
    trainer.unk_id = next(i for i, p in enumerate(pieces) if p.type == Piece.UNKNOWN)
    return bytes(changed.SerializeToString())
