from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bundle.known_words import BITS_A_WORD, WordFilter, cut_filters, make_filter
from bundle.manifest import KnownWords
from bundle.reader import describe_bundle, read_bundle
from bundle.tensors import KNOWN_WORDS_NAME
from tests.bundle.bundles import TINY_BUNDLE, change_manifest, copy_of_tiny, faults_of, know_words

NUM_STRANGERS = 20_000


@given(st.lists(st.text(), max_size=60), st.text())
def test_every_word_that_was_added_is_known(words: list[str], other: str) -> None:
    found = make_filter([*words, other])
    assert all(word in found for word in [*words, other])


@given(st.sets(st.text(), max_size=60))
def test_the_order_of_the_words_does_not_matter(words: set[str]) -> None:
    assert make_filter(sorted(words)).bits == make_filter(sorted(words, reverse=True)).bits


def test_one_stranger_of_two_hundred_at_most_is_taken_for_known() -> None:
    found = make_filter([f"known-{i}" for i in range(5_000)])
    assert len(found.bits) * 8 == 5_000 * BITS_A_WORD
    assert sum(f"stranger-{i}" in found for i in range(NUM_STRANGERS)) < NUM_STRANGERS / 200


def test_an_empty_filter_knows_no_word() -> None:
    assert "word" not in make_filter([])


def test_a_filter_is_the_same_on_every_machine() -> None:
    assert make_filter(["haus", "straße"]).bits.hex() == "37d55c"


def test_the_filters_of_a_file_are_cut_by_their_entries() -> None:
    first, second = make_filter(["house", "garden"]), make_filter(["haus"])
    entries = [_entry("en", first), _entry("de", second)]
    found = cut_filters(first.bits + second.bits, entries)
    assert [(name, each.bits) for name, each in found.items()] == [
        ("en", first.bits),
        ("de", second.bits),
    ]


def test_a_bundle_knows_the_words_of_its_languages(tmp_path: Path) -> None:
    folder = know_words(copy_of_tiny(tmp_path), en=["house"], de=["haus"])
    known = read_bundle(folder).known_words
    assert ("house" in known["en"], "haus" in known["de"]) == (True, True)
    assert ("haus" in known["en"], "house" in known["de"]) == (False, False)
    assert describe_bundle(folder).known_words == {}


def test_a_bundle_without_the_file_knows_none() -> None:
    assert read_bundle(TINY_BUNDLE).known_words == {}


def test_a_listed_file_must_be_there(tmp_path: Path) -> None:
    folder = know_words(copy_of_tiny(tmp_path), en=["house"], de=["haus"])
    (folder / KNOWN_WORDS_NAME).unlink()
    assert faults_of(folder) == (f"{KNOWN_WORDS_NAME}: No such file or directory",)
    read = copy_of_tiny(tmp_path / "second")
    change_manifest(read, {"known_words": [_entry("en", make_filter([])).model_dump()]})
    assert faults_of(read) == (f"{KNOWN_WORDS_NAME}: not listed in the manifest",)


def test_all_faults_of_the_entries_are_named(tmp_path: Path) -> None:
    folder = know_words(copy_of_tiny(tmp_path), en=["house"], de=["haus"])
    entry = _entry("en", make_filter(["house"])).model_dump()
    change_manifest(folder, {"known_words": [entry, entry, entry]})
    assert faults_of(folder) == (
        "known_words: en is there twice",
        f"known_words: 6 bytes in all, {KNOWN_WORDS_NAME} has 4",
    )


@pytest.mark.parametrize(
    "wrong", [{"num_hashes": 0}, {"num_hashes": 33}, {"size_bytes": 0}, {"size_bytes": 1 << 25}]
)
def test_a_size_beyond_its_limit_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        KnownWords.model_validate(_entry("en", make_filter([])).model_dump() | wrong)


def _entry(language: str, words: WordFilter) -> KnownWords:
    return KnownWords(
        language=language, words=1, size_bytes=len(words.bits), num_hashes=words.num_hashes
    )
