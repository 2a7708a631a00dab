"""A text gets the same ids as from the original tokenizer."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundle.manifest import Architecture, LanguagePair, SpecialIds
from bundle.tokenizer import Tokenizer
from export.errors import ExportError
from export.importers.tokenizers.renumbering import pieces_by_id, pieces_of, renumbered
from tests.data.toy_language import sentence_pairs
from tests.export.importers.spm_models import pieces, spm

UNKNOWN, CONTROLS = "<unk>", ("</s>", "<pad>", ">>deu<<")
PAIR = LanguagePair(source="en", target="de", source_prefix=">>deu<<")
STRANGE = [
    "",
    "  two  spaces ",
    "Der große Hund sieht die schöne Katze.",
    "ß",
    "ßß öü",
    "你好 world",
    "a你b好c",
    "ﬁne — “quotes” … ½ ①",
    "\ttabs\nand lines\u00a0and\u200bmore",
    "😀 e\u0301 Ⅷ",
    "</s> <unk> <pad> >>deu<<",
    "THE DOG SEES 123 DOGS",
]
"""Letters of the other language, of neither, forms that are normalised, control symbols."""


def _rebuilt(kind: str, *, without: int = 0) -> tuple[Tokenizer, list[str]]:
    source, target = spm(0, kind), spm(1, kind)
    found = sorted({*pieces(source), *pieces(target)} - {"</s>", UNKNOWN})
    random.Random(1).shuffle(found)
    vocabulary = ["</s>", UNKNOWN, *found[without:], ">>deu<<", "<pad>"]
    ids = SpecialIds(pad=len(vocabulary) - 1, unk=1, bos=len(vocabulary) - 1, eos=0)
    shape = Architecture(
        vocab_size=len(vocabulary),
        d_model=8,
        d_ff=8,
        num_heads=1,
        num_encoder_layers=1,
        num_decoder_layers=1,
        activation="relu",
        norm_position="post",
        positions="sinusoidal",
        num_parameters=1,
    )
    models = [
        renumbered(vocabulary, m, unknown=UNKNOWN, controls=CONTROLS, is_target=m is target)
        for m in (source, target)
    ]
    return Tokenizer(models[0], models[1], ids, shape), vocabulary


def _original(kind: str, vocabulary: list[str], side: int) -> Callable[[str], list[int]]:
    """What Marian does: SentencePiece cuts, and the vocabulary numbers what it cut."""
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_proto=spm(side, kind))
    ids = {piece: i for i, piece in enumerate(vocabulary)}

    def encode(text: str) -> list[int]:
        return [ids.get(piece, 1) for piece in processor.encode(text, out_type=str)]

    return encode


@pytest.mark.parametrize("without", [0, 12])
@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_a_source_has_the_ids_of_the_vocabulary(kind: str, without: int) -> None:
    tokenizer, vocabulary = _rebuilt(kind, without=without)
    original = _original(kind, vocabulary, 0)
    texts = [text for pair in sentence_pairs(300, seed=9) for text in pair]
    for text in [*texts, *STRANGE]:
        found = tokenizer.encode_source(text, PAIR)
        assert found == [vocabulary.index(">>deu<<"), *original(text), 0], text
    assert any(1 in original(text) for text in texts) == bool(without)


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
@settings(max_examples=150)
@given(text=st.text(st.sampled_from("theTdogHundKaßöü ▁.,你ж1<>/s\u0301"), max_size=25))
def test_any_mixture_of_letters_has_the_ids_of_the_vocabulary(kind: str, text: str) -> None:
    tokenizer, _ = _MADE[kind]
    assert tokenizer.encode_source(text, PAIR)[1:-1] == _ORIGINALS[kind](text)


_MADE = {kind: _rebuilt(kind, without=5) for kind in ("unigram", "bpe")}
_ORIGINALS = {kind: _original(kind, made[1], 0) for kind, made in _MADE.items()}


@pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses:UserWarning")
@pytest.mark.filterwarnings("ignore:Moving the following attributes:UserWarning")
def test_transformers_gives_the_same_ids(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    from export.importers.hf_marian.reader import read
    from export.importers.options import ImportOptions
    from tests.export.importers.hf_marian.hf_models import TAGS, original_tokenizer, save_model

    path = save_model(tmp_path / "model", tags=TAGS, without=4)
    result = read(ImportOptions(out=tmp_path / "out", kind="hf-marian", path=path))
    network, original = result.network, original_tokenizer(path)
    models = (result.source.model, result.target.model)
    tokenizer = Tokenizer(*models, network.special_ids, network.architecture)
    texts = [text for pair in sentence_pairs(200, seed=9) for text in pair] + STRANGE[:-2]
    for text in texts:
        for pair in result.pairs:
            want = original(f"{pair.source_prefix}{text}")["input_ids"]
            assert tokenizer.encode_source(text, pair) == want, text
        ids = original(text_target=text)["input_ids"]
        assert tokenizer.encode_target(text) == ids, text
        if network.special_ids.unk not in ids:
            written = original.decode(ids, skip_special_tokens=True)
            assert tokenizer.decode_target(ids) == written, text


def test_text_that_looks_like_a_control_symbol_is_text() -> None:
    tokenizer, vocabulary = _rebuilt("unigram")
    ids = tokenizer.encode_source("</s> >>deu<<", LanguagePair(source="en", target="de"))
    assert vocabulary.index(">>deu<<") not in ids
    assert ids.count(0) == 1


def test_control_symbols_leave_no_trace_in_a_translation() -> None:
    tokenizer, vocabulary = _rebuilt("unigram")
    ids = tokenizer.encode_target("Der Hund.")
    assert tokenizer.decode_target([len(vocabulary) - 1, *ids, len(vocabulary) - 1]) == "Der Hund."


def test_a_piece_of_the_other_language_decodes_to_its_text() -> None:
    tokenizer, vocabulary = _rebuilt("unigram")
    english = next(p for p in pieces(spm(0)) if p.startswith("▁") and p not in pieces(spm(1)))
    assert tokenizer.decode_target([vocabulary.index(english)]) == english[1:]


@pytest.mark.parametrize(
    ("vocabulary", "reason"),
    [
        (["</s>", "<unk>", "a", "b", "a"], "has 'a' more than once"),
        (["</s>", "a"], "has no piece '<unk>'"),
    ],
)
def test_a_faulty_vocabulary_is_refused(vocabulary: list[str], reason: str) -> None:
    with pytest.raises(ExportError, match=reason):
        renumbered(vocabulary, spm(0), unknown=UNKNOWN)


@pytest.mark.parametrize("content", [b"", b"\x08\x01", b"no model", spm(0)[:-7]])
def test_no_sentencepiece_model_is_refused(content: bytes) -> None:
    with pytest.raises(ExportError, match="no SentencePiece model"):
        pieces_of(content)


def test_a_vocabulary_of_another_size_is_refused() -> None:
    assert pieces_by_id({"b": 1, "a": 0}, 2, "vocab.json") == ["a", "b"]
    with pytest.raises(
        ExportError, match=r"vocab.json: 2 pieces, none .* id 2; the weights have 3"
    ):
        pieces_by_id({"b": 1, "a": 0}, 3, "vocab.json")
    with pytest.raises(ExportError, match="2 pieces, none of them for id 0; the weights have 2"):
        pieces_by_id({"b": 1, "a": 2}, 2, "vocab.json")
