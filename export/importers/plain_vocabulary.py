"""SentencePiece models of vocabularies that never were any: of characters, or of words."""

import io
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import sentencepiece
from sentencepiece import sentencepiece_model_pb2

from export.errors import ExportError

_FORMAT: Any = sentencepiece_model_pb2  # its classes are made when it is imported
_SPACE = "▁"
"""How SentencePiece writes white space."""


def plain_vocabulary(
    pieces: Sequence[str],
    *,
    cut: Literal["characters", "words"],
    unknown: str,
    controls: Sequence[str],
    replaced: Mapping[str, str],
) -> bytes:
    """A SentencePiece model.

    Args:
        pieces: In the order of their ids.
        cut: What a text is cut into.
        unknown: Which of the pieces stands for what is not among them.
        controls: Which of them are no text.
        replaced: Letters that stand for others before a text is cut.

    Raises:
        ExportError: The pieces are no vocabulary.
    """
    _check(pieces, unknown)
    proto = _empty(cut, replaced)
    piece_kind = proto.SentencePiece
    for name in pieces:
        kind = piece_kind.CONTROL if name in controls else piece_kind.NORMAL
        kind = piece_kind.UNKNOWN if name == unknown else kind
        text = name if kind != piece_kind.NORMAL else _spelt(name, cut)
        proto.pieces.append(piece_kind(piece=text, score=0.0, type=kind))
    trainer = proto.trainer_spec
    trainer.vocab_size = len(pieces)
    trainer.unk_piece, trainer.unk_id = unknown, list(pieces).index(unknown)
    trainer.bos_id = trainer.eos_id = trainer.pad_id = -1
    return bytes(proto.SerializeToString())


def lower_cased(pieces: Sequence[str]) -> dict[str, str]:
    """The capital letters of all small ones."""
    letters = sorted({letter for piece in pieces for letter in piece})
    capitals = {letter.upper(): letter for letter in letters if letter.islower()}
    return {capital: letter for capital, letter in capitals.items() if len(capital) == 1}


def _check(pieces: Sequence[str], unknown: str) -> None:
    twice = sorted(piece for piece, count in Counter(pieces).items() if count > 1)
    if twice:
        raise ExportError(f"the vocabulary has {', '.join(map(repr, twice))} more than once")
    if unknown not in pieces:
        raise ExportError(f"the vocabulary has no piece {unknown!r} for what is not in it")


def _spelt(piece: str, cut: str) -> str:
    return _SPACE + piece if cut == "words" else piece.replace(" ", _SPACE)


def _empty(cut: str, replaced: Mapping[str, str]) -> Any:  # noqa: ANN401
    """A model without pieces: SentencePiece compiles what is replaced when it trains one."""
    content = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        rules = Path(folder) / "rules.tsv"
        lines = (f"{_code_points(old)}\t{_code_points(new)}\n" for old, new in replaced.items())
        rules.write_text("".join(lines), encoding="ascii")
        how: dict[str, Any] = {"normalization_rule_tsv": str(rules)} if replaced else {}
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["a b c d"]),
            model_writer=content,
            model_type="char" if cut == "characters" else "word",
            vocab_size=8,
            hard_vocab_limit=False,
            normalization_rule_name="user_defined" if replaced else "identity",
            add_dummy_prefix=cut == "words",
            remove_extra_whitespaces=cut == "words",
            minloglevel=2,
            num_threads=1,
            **how,
        )
    proto = _FORMAT.ModelProto()
    proto.ParseFromString(content.getvalue())
    del proto.pieces[:]
    proto.trainer_spec.ClearField("input")
    proto.normalizer_spec.ClearField("normalization_rule_tsv")
    return proto


def _code_points(text: str) -> str:
    return " ".join(f"{ord(letter):X}" for letter in text)
