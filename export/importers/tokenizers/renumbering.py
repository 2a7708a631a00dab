"""Renumbers a SentencePiece model to the ids of a checkpoint's vocabulary.

Many checkpoints tokenise with SentencePiece and number the pieces in a file of their own. The
pieces are put into the order of that file; everything else of the model stays as it is, so that
a text is tokenised in the same way.
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
"""Kinds of pieces that a text may be tokenised into."""


class _UnusedPieces:
    """Makes pieces that no text is tokenised into."""

    def __init__(self, proto: Any, *, is_target: bool) -> None:  # noqa: ANN401
        self._is_bpe = proto.trainer_spec.model_type == _FORMAT.TrainerSpec.BPE
        self._is_target = is_target
        self._score = min(piece.score for piece in proto.pieces) - 1

    def piece(self, text: str) -> Any:  # noqa: ANN401
        """An unused piece, or a control symbol where an unused one would change merges.

        SentencePiece splits an unused piece again, but with BPE other merges may have been missed
        by then. A control symbol takes no part in merges; but it has no text.
        """
        changes_merges = self._is_bpe and len(text) > 1 and not self._is_target
        kind = Piece.CONTROL if changes_merges else Piece.UNUSED
        return Piece(piece=text, score=self._score, type=kind)


def renumbered(
    vocabulary: Sequence[str],
    model: bytes,
    *,
    unknown: str,
    controls: Sequence[str] = (),
    is_target: bool = False,
) -> bytes:
    """Renumber the pieces of a SentencePiece model.

    Args:
        vocabulary: Pieces by id. No text is tokenised into pieces that the model lacks, but the
            decoder may generate them: they belong to the other language.
        model: Content of the model's file.
        unknown: Piece of the unknown token.
        controls: Pieces that never stand for text, such as the end token.
        is_target: The vocabulary is the target's. With BPE a given target may then be tokenised
            in another way than in training.

    Returns:
        The renumbered model. Pieces that the vocabulary lacks follow behind it: a text is
        tokenised into them as before, and they are then unknown.

    Raises:
        ExportError: A piece stands there twice, or the unknown token is missing.
    """
    check_pieces(vocabulary, unknown)
    proto = _parse(model)
    known = {piece.piece: piece for piece in proto.pieces if piece.type in _TEXT}
    symbols = {unknown, *controls}
    unused = _UnusedPieces(proto, is_target=is_target)
    pieces = [
        _symbol(piece, unknown) if piece in symbols else known.get(piece) or unused.piece(piece)
        for piece in vocabulary
    ]
    in_vocabulary = set(vocabulary)
    kinds = (*_TEXT, Piece.UNUSED)  # unused pieces are steps of merges
    pieces += [p for p in proto.pieces if p.type in kinds and p.piece not in in_vocabulary]
    return _with_pieces(proto, pieces, unknown)


def limited_to(vocabulary: Sequence[str], model: bytes) -> bytes:
    """A model that makes no pieces of several letters that `vocabulary` lacks."""
    proto, known = _parse(model), set(vocabulary)
    for piece in proto.pieces:
        is_text = piece.type in (Piece.NORMAL, Piece.BYTE)
        if is_text and len(piece.piece) > 1 and piece.piece not in known:
            piece.type = Piece.UNUSED
    return bytes(proto.SerializeToString())


def pieces_of(model: bytes) -> list[str]:
    """The pieces of a SentencePiece model, by id."""
    return [piece.piece for piece in _parse(model).pieces]


def read_model(path: Path) -> bytes:
    """The content of a SentencePiece model's file.

    Raises:
        ExportError: It is missing or broken.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ExportError(f"{path}: {error.strerror}") from error
    return check_model(content, path)


def check_model(content: bytes, path: Path) -> bytes:
    """The content of a SentencePiece model's file, if it is one.

    Raises:
        ExportError: It is broken.
    """
    try:
        _parse(content)
    except ExportError as error:
        raise ExportError(f"{path}: {error}") from error
    return content


def pieces_by_id(ids: Mapping[str, int], size: int, location: str) -> list[str]:
    """The piece of every id.

    Args:
        ids: Id of every piece.
        size: Number of ids that the weights have.
        location: Where the pieces were read, for error messages.

    Raises:
        ExportError: The ids are not 0 to `size - 1`, each once.
    """
    pieces = {number: piece for piece, number in ids.items()}
    missing = [number for number in range(size) if number not in pieces]
    if len(ids) != size or missing:
        hole = f", none of them for id {missing[0]}" if missing else ""
        raise ExportError(f"{location}: {len(ids)} pieces{hole}; the weights have {size}")
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


def check_pieces(vocabulary: Sequence[str], unknown: str) -> None:
    """Refuse a vocabulary with a piece twice, or without the unknown token.

    Raises:
        ExportError: It has such a fault.
    """
    twice = [piece for piece, count in Counter(vocabulary).items() if count > 1]
    if twice:
        raise ExportError(f"the vocabulary has {', '.join(map(repr, twice))} more than once")
    if unknown not in vocabulary:
        raise ExportError(f"the vocabulary has no piece {unknown!r} for what is not in it")


def _symbol(piece: str, unknown: str) -> Any:  # noqa: ANN401
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
