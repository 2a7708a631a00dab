"""Makes SentencePiece models of vocabularies of characters or words."""

import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import sentencepiece
from sentencepiece import sentencepiece_model_pb2

from export.importers.tokenizers.renumbering import check_pieces

_FORMAT: Any = sentencepiece_model_pb2  # its classes are made when it is imported
_SPACE = "▁"
"""White space in pieces of SentencePiece."""


def sentencepiece_model(
    pieces: Sequence[str],
    *,
    unit: Literal["characters", "words"],
    unknown: str,
    controls: Sequence[str],
    replacements: Mapping[str, str],
) -> bytes:
    """A SentencePiece model with the ids of a vocabulary.

    Args:
        pieces: By id.
        unit: The tokens of a text.
        unknown: Piece of the unknown token.
        controls: Pieces that never stand for text.
        replacements: Letters that are replaced before a text is tokenised.

    Raises:
        ExportError: A piece stands there twice, or the unknown token is missing.
    """
    check_pieces(pieces, unknown)
    proto = _empty(unit, replacements)
    piece_kind = proto.SentencePiece
    for name in pieces:
        kind = piece_kind.CONTROL if name in controls else piece_kind.NORMAL
        kind = piece_kind.UNKNOWN if name == unknown else kind
        text = name if kind != piece_kind.NORMAL else _spelling(name, unit)
        proto.pieces.append(piece_kind(piece=text, score=0.0, type=kind))
    trainer = proto.trainer_spec
    trainer.vocab_size = len(pieces)
    trainer.unk_piece, trainer.unk_id = unknown, list(pieces).index(unknown)
    trainer.bos_id = trainer.eos_id = trainer.pad_id = -1
    return bytes(proto.SerializeToString())


def capitals_to_lower(pieces: Sequence[str]) -> dict[str, str]:
    """Replacements of capitals by those small letters that the pieces have."""
    letters = sorted({letter for piece in pieces for letter in piece})
    capitals = {letter.upper(): letter for letter in letters if letter.islower()}
    return {capital: letter for capital, letter in capitals.items() if len(capital) == 1}


def _spelling(piece: str, unit: str) -> str:
    return _SPACE + piece if unit == "words" else piece.replace(" ", _SPACE)


def _empty(unit: str, replacements: Mapping[str, str]) -> Any:  # noqa: ANN401
    """A model without pieces; SentencePiece compiles replacements only when it trains one."""
    content = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        rules = Path(folder) / "rules.tsv"
        lines = (f"{_code_points(old)}\t{_code_points(new)}\n" for old, new in replacements.items())
        rules.write_text("".join(lines), encoding="ascii")
        options: dict[str, Any] = {"normalization_rule_tsv": str(rules)} if replacements else {}
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["a b c d"]),
            model_writer=content,
            model_type="char" if unit == "characters" else "word",
            vocab_size=8,
            hard_vocab_limit=False,
            normalization_rule_name="user_defined" if replacements else "identity",
            add_dummy_prefix=unit == "words",
            remove_extra_whitespaces=unit == "words",
            minloglevel=2,
            num_threads=1,
            **options,
        )
    proto = _FORMAT.ModelProto()
    proto.ParseFromString(content.getvalue())
    del proto.pieces[:]
    proto.trainer_spec.ClearField("input")
    proto.normalizer_spec.ClearField("normalization_rule_tsv")
    return proto


def _code_points(text: str) -> str:
    return " ".join(f"{ord(letter):X}" for letter in text)
