"""A model knows the words that its training text has twice, on the side of their language."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from bundle.known_words import cut_filters
from bundle.tensors import KNOWN_WORDS_NAME
from export.lexicon.known_words import TrainingText, count_words, write_known_words
from model.config import DataConfig
from model.errors import CorpusError

LINES = (
    "The house, the GARDEN\tDas Haus, der Garten\thome",
    "house-garden 2x\tHaus und Garten\thome",
    "Corbyn\tCorbyn\thome",
    "The castle\tDas Schloss\tunused",
    "The castle\tDas Schloss\tunused",
)


def text_of(folder: Path, *, sources: Sequence[Mapping[str, object]] = ()) -> TrainingText:
    (folder / "train.tsv").write_text("\n".join(LINES) + "\n", encoding="utf-8")
    (folder / "a.en").write_text("A shed\nA shed\n", encoding="utf-8")
    (folder / "a.de").write_text("Ein Schuppen\nEin Schuppen\n", encoding="utf-8")
    config = DataConfig.model_validate(
        {
            "source_language": "en",
            "target_language": "de",
            "train": ["train.tsv", ("a.en", "a.de")],
            "dev": "dev.tsv",
            "sources": sources,
        }
    )
    return TrainingText(config=config, data=folder)


def test_words_are_counted_on_their_side_whatever_their_case(tmp_path: Path) -> None:
    source, target = count_words(text_of(tmp_path))
    assert (source["house"], source["garden"], source["the"], source["shed"]) == (2, 2, 4, 2)
    assert (target["haus"], target["garten"], target["schuppen"], target["das"]) == (2, 2, 2, 3)
    assert (source["corbyn"], source["haus"], source["2"]) == (1, 0, 0)


def test_only_sources_that_are_trained_on_count(tmp_path: Path) -> None:
    sources: list[dict[str, object]] = [{"name": "home"}, {"name": "unused", "weight": 0}]
    source, _ = count_words(text_of(tmp_path, sources=sources))
    assert (source["house"], source["castle"], source["shed"]) == (2, 0, 0)


def test_words_that_occur_once_stay_unknown(tmp_path: Path) -> None:
    entries = write_known_words(tmp_path, text_of(tmp_path))
    assert [(entry.language, entry.words) for entry in entries] == [("en", 6), ("de", 6)]
    found = cut_filters((tmp_path / KNOWN_WORDS_NAME).read_bytes(), entries)
    assert ["house" in found["en"], "corbyn" in found["en"]] == [True, False]
    assert ["haus" in found["de"], "corbyn" in found["de"]] == [True, False]


def test_the_same_text_gives_the_same_file(tmp_path: Path) -> None:
    text = text_of(tmp_path)
    write_known_words(tmp_path, text)
    once = (tmp_path / KNOWN_WORDS_NAME).read_bytes()
    write_known_words(tmp_path, text)
    assert (tmp_path / KNOWN_WORDS_NAME).read_bytes() == once


def test_text_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    text = text_of(tmp_path)
    (tmp_path / "train.tsv").unlink()
    with pytest.raises(CorpusError, match=r"train\.tsv"):
        write_known_words(tmp_path, text)
