"""What `/learn` shows beside the answers of the server: `python -m tests.docs.learn` writes it.

`docs/transformer.md` is the source of questions and answers; gradients and vocabularies are
computed here.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor
    from torch import Tensor

    from model.transformer import EncoderLayer

REPOSITORY = Path(__file__).parents[2]
DOCUMENT = REPOSITORY / "docs" / "transformer.md"
TEXTS = sorted((REPOSITORY / "docs" / "decisions").glob("00[0-5]*.md"))
STATIC = REPOSITORY / "service" / "web" / "static"
SECTION = re.compile(
    r"^## (?P<number>\d+)\. (?P<question>[^\n]+)\n> (?P<chinese>[^\n]+)\n\n(?P<answer>.+?)\n\n"
    r"```python\n(?P<snippet>.+?)```\n\nProof: (?P<proof>.+?)(?=\n\n|\n*\Z)",
    re.MULTILINE | re.DOTALL,
)
NUM_LAYERS = 24
NUM_PIECES = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A group of questions."""

    number: int
    question: str
    chinese: str
    answer: list[str]
    """Paragraphs."""
    snippet: str
    proof: list[str]
    """`FILE::TEST`."""


def answers() -> list[Answer]:
    """Those of the document, in its order."""
    return [
        Answer(
            number=int(found["number"]),
            question=found["question"],
            chinese=found["chinese"],
            answer=[" ".join(part.split()) for part in found["answer"].split("\n\n")],
            snippet=found["snippet"],
            proof=re.findall(r"`([^`]+)`", found["proof"]),
        )
        for found in SECTION.finditer(DOCUMENT.read_text(encoding="utf-8"))
    ]


def gradients() -> dict[str, list[float]]:
    """Norm of the gradient at each layer over that at the last, in a stack of 24, to 3 digits."""
    import torch  # here: the texts are compared where torch is not installed

    from model.transformer import EncoderLayer
    from tests.model.networks import ARCHITECTURE
    from tests.model.test_comparisons import WithoutResidual

    found = {}
    for name, make in (("with residual", EncoderLayer), ("without residual", WithoutResidual)):
        torch.manual_seed(1)
        stack = [make(replace(ARCHITECTURE, dropout=0.0)) for _ in range(NUM_LAYERS)]
        hidden, wanted = torch.randn(2, 4, 7, ARCHITECTURE.d_model)
        for layer in stack:
            hidden, _ = layer(hidden, None)
        (hidden * wanted).sum().backward()
        norms = [torch.nn.utils.get_total_norm(_gradients(layer)).item() for layer in stack]
        found[name] = [float(f"{norm / norms[-1]:.3g}") for norm in norms]
    return found


def _gradients(layer: "EncoderLayer") -> "list[Tensor]":
    return [p.grad for p in layer.parameters() if p.grad is not None]


def vocabularies() -> dict[str, list[tuple[str, float]]]:
    """Pieces with their scores: BPE's are their order, unigram's are log-probabilities."""
    return {name: list(_pieces(name)) for name in ("bpe", "unigram")}


def _pieces(kind: str) -> Iterator[tuple[str, float]]:
    processor = vocabulary(kind)
    for i in range(processor.get_piece_size()):
        if not processor.is_control(i) and not processor.is_unknown(i):
            yield processor.id_to_piece(i), round(processor.get_score(i), 4)


def vocabulary(kind: str) -> "SentencePieceProcessor":
    """A vocabulary learnt from the decisions 1 to 59; they are English of 160 kB."""
    import sentencepiece

    model = BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=_words(),
        model_writer=model,
        model_type=kind,
        vocab_size=NUM_PIECES,
        character_coverage=1.0,
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
    )
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def recorded_vocabulary(kind: str) -> "SentencePieceProcessor":
    """The program that is asked about the pieces which the page has."""
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2 as protobuf

    model = protobuf.ModelProto()  # type: ignore[attr-defined]
    model.trainer_spec.model_type = {"unigram": 1, "bpe": 2}[kind]
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = True
    model.normalizer_spec.escape_whitespaces = True
    model.pieces.add(piece="<unk>", score=0, type=2)
    recorded = json.loads((STATIC / "learn_pieces.json").read_text(encoding="utf-8"))
    for piece, score in recorded[kind]:
        model.pieces.add(piece=piece, score=score, type=1)
    return sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())


def _words() -> Iterator[str]:
    """Lines of plain words."""
    for path in TEXTS:
        for line in path.read_text(encoding="utf-8").splitlines():
            yield " ".join(re.findall(r"\b[a-zA-Z]+\b", line)).lower()


def page() -> dict[str, object]:
    """Content of `learn.json`."""
    return {"answers": [asdict(answer) for answer in answers()], "gradients": gradients()}


def main() -> None:
    """Writes both files."""
    for name, content in (("learn.json", page()), ("learn_pieces.json", vocabularies())):
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        (STATIC / name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
