import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.config import TokenizerConfig
from model.data.corpus import SentencePair
from model.data.tokenizer import PLACEHOLDERS, in_smaller_pieces, load_tokenizer, train_tokenizer
from model.errors import CheckpointError, ConfigError
from tests.data.toy_language import sentence_pairs
from tests.model.runs import toy_tokenizer

PAIRS = [SentencePair(*pair) for pair in sentence_pairs(100, seed=1)]
# White space is folded, and these two are SentencePiece's own: the visible space and its unknown.
WORDS = st.text(
    st.characters(exclude_categories=["Zs", "Zl", "Zp", "Cc", "Cs"], exclude_characters="▁⁇"),
    min_size=1,
    max_size=12,
)


@given(st.lists(WORDS, max_size=5))
def test_decoding_an_encoded_text_gives_it_back(words: list[str]) -> None:
    text = " ".join(words)
    tokenizer = toy_tokenizer()
    ids = tokenizer.encode(text)
    assert tokenizer.unk_id() not in ids
    assert tokenizer.decode(ids) == text


@pytest.mark.parametrize("text", ["👩‍👩‍👧‍👦 ok", "日本語", "\U0010fffd", "é", "e\u0301", "ﬁ ① Ⅳ"])
def test_what_was_never_seen_is_spelt_in_bytes_and_not_normalised(text: str) -> None:
    tokenizer = toy_tokenizer()
    pieces = tokenizer.encode(text, out_type=str)
    assert any(piece.startswith("<0x") for piece in pieces)
    assert tokenizer.decode(tokenizer.encode(text)) == text


@given(st.lists(WORDS, max_size=5), st.integers(0, 9))
def test_smaller_pieces_are_the_same_text(words: list[str], seed: int) -> None:
    text = " ".join(words)
    tokenizer = toy_tokenizer()
    ids = tokenizer.encode(text)
    cut = in_smaller_pieces(ids, tokenizer, random.Random(seed))
    assert tokenizer.decode(cut) == text
    assert len(cut) >= len(ids)
    assert cut == in_smaller_pieces(ids, tokenizer, random.Random(seed))


def test_some_pieces_are_cut_and_symbols_are_not() -> None:
    tokenizer = toy_tokenizer()
    ids = [i for pair in PAIRS for i in tokenizer.encode(pair.source)]
    cut = in_smaller_pieces(ids, tokenizer, random.Random(1))
    assert 1.03 * len(ids) < len(cut) < 1.2 * len(ids)
    symbols = [tokenizer.piece_to_id(piece) for piece in PLACEHOLDERS] * 20
    assert in_smaller_pieces(symbols, tokenizer, random.Random(1)) == symbols


def test_special_ids_are_the_first_four() -> None:
    tokenizer = toy_tokenizer()
    ids = (tokenizer.pad_id(), tokenizer.unk_id(), tokenizer.bos_id(), tokenizer.eos_id())
    assert ids == (0, 1, 2, 3)


@pytest.mark.parametrize("piece", [">>en<<", ">>de<<", *PLACEHOLDERS])
def test_a_reserved_piece_is_one_id_wherever_it_stands(piece: str) -> None:
    tokenizer = toy_tokenizer()
    reserved = tokenizer.piece_to_id(piece)
    assert reserved >= 4
    for text in (f"the {piece} dog", f"the{piece}dog", piece):
        assert tokenizer.encode(text).count(reserved) == 1
        assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("text", ["<s>", "</s>", "<pad>", "<unk>"])
def test_text_that_looks_like_a_special_piece_is_text(text: str) -> None:
    tokenizer = toy_tokenizer()
    ids = tokenizer.encode(text)
    assert not {0, 1, 2, 3} & set(ids)
    assert tokenizer.decode(ids) == text


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_the_same_seed_learns_the_same_pieces(tmp_path: Path, kind: str) -> None:
    config = TokenizerConfig.model_validate({"kind": kind, "vocab_size": 330})
    for name in ("a", "b"):
        train_tokenizer(PAIRS, config, tmp_path / name, seed=1)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert load_tokenizer(tmp_path / "a").vocab_size() == 330


def test_a_small_corpus_gives_a_small_vocabulary(tmp_path: Path) -> None:
    config = TokenizerConfig(kind="bpe", vocab_size=8000)
    assert train_tokenizer(PAIRS, config, tmp_path / "a", seed=1).vocab_size() < 1000


def test_a_vocabulary_without_room_for_bytes_is_refused(tmp_path: Path) -> None:
    config = TokenizerConfig(kind="bpe", vocab_size=100)
    with pytest.raises(ConfigError, match=r"tokenizer: .*Vocabulary size"):
        train_tokenizer(PAIRS, config, tmp_path / "a", seed=1)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("content", [None, b"", b"no model"])
def test_a_missing_or_broken_tokenizer_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "source.spm"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"source\.spm cannot be read"):
        load_tokenizer(path)
