from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cluster.corpus import CorpusTranslator, CorpusWork, Part, parts_of
from service.errors import InvalidRequestError
from service.settings import Settings
from service.translation.values import TranslateRequest
from tests.service.tiny_models import TINY_BUNDLE

LINES = b"Anna reads.\n\nBen sings.\r\n  \nAnna sees\xe2\x80\xa8a house."
SETTINGS = Settings(workers=1, bundles=(TINY_BUNDLE,))
REQUEST = TranslateRequest(texts=(), source="en", target="de")


def read(part: Part) -> bytes:
    return part.path.read_bytes()[part.start : part.end]


@given(
    files=st.lists(st.lists(st.sampled_from([b"\n", b"a", b"bcd\n", b"\r\n"])), max_size=3),
    part_bytes=st.integers(1, 9),
)
def test_every_byte_is_in_one_part_and_no_line_in_two(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[bytes]], part_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("corpus")
    paths = [folder / str(i) for i in range(len(files))]
    for path, pieces in zip(paths, files, strict=True):
        path.write_bytes(b"".join(pieces))
    parts = list(parts_of(paths, part_bytes))
    assert [read(p) for p in parts] == [x for x in map(read, parts) if x]
    for path in paths:
        found = [read(part) for part in parts if part.path == path]
        assert b"".join(found) == path.read_bytes()
        assert all(part.endswith(b"\n") for part in found[:-1])
        assert all(b"\n" not in part[part_bytes - 1 : -1] for part in found)


def translated(folder: Path, work: CorpusWork, part_bytes: int) -> list[bytes]:
    file = folder / "corpus.txt"
    file.write_bytes(LINES)
    translator = CorpusTranslator(SETTINGS, work)
    try:
        return [translator.translate(part) for part in parts_of([file], part_bytes)]
    finally:
        translator.close()


def test_a_part_has_a_line_for_each_line_and_ends_as_it_ended(tmp_path: Path) -> None:
    (whole,) = translated(tmp_path, CorpusWork(request=REQUEST), 1000)
    lines = whole.split(b"\n")
    assert [line == b"" for line in lines] == [False, True, False, False, False]
    assert (lines[2][-1:], lines[3]) == (b"\r", b"  ")
    assert b"\xe2\x80\xa8" in lines[4]


def test_parts_joined_are_the_whole(tmp_path: Path) -> None:
    work = CorpusWork(request=REQUEST)
    parts = translated(tmp_path, work, 4)
    assert len(parts) == 3
    assert b"".join(parts) == translated(tmp_path, work, 1000)[0]


def test_blank_lines_begin_with_no_prefix(tmp_path: Path) -> None:
    (whole,) = translated(tmp_path, CorpusWork(request=REQUEST, prefix="Ein Haus"), 1000)
    lines = whole.split(b"\n")
    assert [line.startswith(b"Ein Haus") for line in lines] == [True, False, True, False, True]


def test_a_part_that_is_not_utf_8_says_where(tmp_path: Path) -> None:
    file = tmp_path / "corpus.txt"
    file.write_bytes(b"Anna\nBen \xff\n")
    translator = CorpusTranslator(SETTINGS, CorpusWork(request=REQUEST))
    with pytest.raises(InvalidRequestError, match=r"corpus\.txt is not UTF-8 at byte 9"):
        translator.translate(Part(path=file, start=5, end=11))
    translator.close()
