import gzip
import lzma
from pathlib import Path

import pytest

from model.data.corpus import MAX_LINE_CHARACTERS, SentencePair, read_pairs
from model.errors import CorpusError

GOOD = SentencePair("a dog", "ein Hund", "toy")


def test_columns_are_source_target_and_origin(tmp_path: Path) -> None:
    text = "a dog\tein Hund\ttoy\n a cat \teine Katze\r\n"
    (tmp_path / "a.tsv").write_bytes(text.encode())
    pairs, report = read_pairs("a.tsv", tmp_path)
    assert pairs == [GOOD, SentencePair("a cat", "eine Katze", "a")]
    assert report.describe("a.tsv") == "a.tsv: 2 of 2 lines kept; no bad lines"


def test_a_file_without_a_third_column_is_a_corpus_of_its_own(tmp_path: Path) -> None:
    with lzma.open(tmp_path / "games-small.tsv.xz", "wb") as file:
        file.write(b"a dog\tein Hund\n")
    pairs, _ = read_pairs("games-small.tsv.xz", tmp_path)
    assert pairs == [SentencePair("a dog", "ein Hund", "games-small")]


def test_bad_lines_are_left_out_counted_and_named(tmp_path: Path) -> None:
    lines = [
        b"a dog\tein Hund\ttoy",
        b"no tab at all",
        b"\tein Hund",
        b"a dog\t  \ttoy",
        b"",
        b"caf\xe9\tein Caf\xe9",
        b"x" * (MAX_LINE_CHARACTERS + 1) + b"\ty",
        b"a dog\tein Hund\ttoy",
    ]
    (tmp_path / "a.tsv").write_bytes(b"\n".join(lines))
    pairs, report = read_pairs("a.tsv", tmp_path)
    assert pairs == [GOOD, GOOD]
    assert report.faults == {
        "without a tab": [2, 5],
        "with an empty side": [3, 4],
        "not UTF-8": [6],
        f"over {MAX_LINE_CHARACTERS} characters": [7],
    }
    said = report.describe("a.tsv")
    assert "2 of 8 lines kept" in said
    assert "2 with an empty side (line 3, 4)" in said
    assert "1 not UTF-8 (line 6)" in said


def test_only_the_first_line_numbers_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("a\tb\n" + "bad\n" * 20, encoding="utf-8")
    _, report = read_pairs("a.tsv", tmp_path)
    assert "20 without a tab (line 2, 3, 4, 5, 6, ...)" in report.describe("a.tsv")


@pytest.mark.parametrize(("suffix", "opener"), [("xz", lzma.open), ("gz", gzip.open)])
def test_compressed_files_are_read_as_they_are(
    tmp_path: Path, suffix: str, opener: type[lzma.LZMAFile]
) -> None:
    with opener(tmp_path / f"a.tsv.{suffix}", "wb") as file:
        file.write(b"a dog\tein Hund\ttoy\n")
    assert read_pairs(f"a.tsv.{suffix}", tmp_path)[0] == [GOOD]


@pytest.mark.parametrize("name", ["a.tsv.xz", "a.tsv.gz"])
@pytest.mark.parametrize("content", [b"", b"not compressed at all", None])
def test_a_broken_compressed_file_is_refused(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    whole = (lzma if name.endswith("xz") else gzip).compress(b"a dog\tein Hund\n" * 500)
    (tmp_path / name).write_bytes(whole[:-20] if content is None else content)
    with pytest.raises(CorpusError, match=r"cannot be read|nothing to train on"):
        read_pairs(name, tmp_path)


def test_a_damaged_gzip_stream_is_refused(tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(bytes(range(256)) * 50))
    whole[12:40] = b"\xff" * 28
    (tmp_path / "a.tsv.gz").write_bytes(whole)
    with pytest.raises(CorpusError, match="cannot be read"):
        read_pairs("a.tsv.gz", tmp_path)


def test_two_files_are_aligned_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "a.en").write_text("a dog\n\na\tcat\n", encoding="utf-8")
    (tmp_path / "a.de").write_text("ein Hund\neine Kuh\neine Katze\n", encoding="utf-8")
    pairs, report = read_pairs(("a.en", "a.de"), tmp_path)
    assert pairs == [SentencePair("a dog", "ein Hund"), SentencePair("a\tcat", "eine Katze")]
    assert report.faults == {"with an empty side": [2]}


def test_files_of_different_length_are_refused_with_both_lengths(tmp_path: Path) -> None:
    (tmp_path / "a.en").write_text("one\ntwo\nthree\n", encoding="utf-8")
    (tmp_path / "a.de").write_text("eins\nzwei\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"a\.en has 3 lines and a\.de has 2"):
        read_pairs(("a.en", "a.de"), tmp_path)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"nowhere\.tsv cannot be read"):
        read_pairs("nowhere.tsv", tmp_path)


def test_a_file_without_a_good_line_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("bad\nworse\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"nothing to train on.*0 of 2.*line 1, 2"):
        read_pairs("a.tsv", tmp_path)


def test_only_a_line_feed_ends_a_line(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("a\u2028b\tc\x85d\n", encoding="utf-8")
    assert read_pairs("a.tsv", tmp_path)[0] == [SentencePair("a\u2028b", "c\x85d", "a")]


def test_a_byte_order_mark_is_no_part_of_the_first_sentence(tmp_path: Path) -> None:
    for name, text in (("pairs.tsv", "a\tb\n\ufeffc\td\n"), ("a.txt", "a\n"), ("b.txt", "b\n")):
        (tmp_path / name).write_text(text, encoding="utf-8-sig")
    first, second = read_pairs("pairs.tsv", tmp_path)[0]
    assert (first.source, second.source) == ("a", "\ufeffc")
    (aligned,) = read_pairs(("a.txt", "b.txt"), tmp_path)[0]
    assert (aligned.source, aligned.target) == ("a", "b")
