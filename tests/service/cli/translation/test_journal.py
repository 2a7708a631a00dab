"""What is done, written down."""

import resource
from pathlib import Path

import pytest

from service.cli.paths import described
from service.cli.translation.journal import Journal


def _written(path: Path) -> bytes:
    with Journal(path, "work") as journal:
        journal.record({0: "null\nzwei", 2: "ü"})
        journal.record({1: ""})
    return path.read_bytes()


def test_what_was_recorded_is_read_again(tmp_path: Path) -> None:
    _written(tmp_path / "j")
    journal = Journal(tmp_path / "j", "work")
    assert journal.done == {0: "null\nzwei", 2: "ü", 1: ""}


def test_a_journal_goes_on(tmp_path: Path) -> None:
    _written(tmp_path / "j")
    with Journal(tmp_path / "j", "work") as journal:
        journal.record({7: "x"})
    assert Journal(tmp_path / "j", "work").done.keys() == {0, 1, 2, 7}


def test_it_may_be_cut_off_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "j"
    whole = _written(path)
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        with Journal(path, "work") as journal:
            kept = dict(journal.done)
            journal.record({9: "new"})
        assert Journal(path, "work").done == kept | {9: "new"}
        assert len(kept) == {1: 0, 2: 2, 3: 3}.get(whole[:size].count(b"\n"), 0)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\n", b"[]\n", b'{"work": "other"}\n{"0": "x"}\n']
)
def test_a_journal_of_other_work_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "j"
    path.write_bytes(content)
    with Journal(path, "work") as journal:
        assert journal.done == {}
        journal.record({1: "y"})
    assert Journal(path, "work").done == {1: "y"}


def test_finished_work_leaves_nothing(tmp_path: Path) -> None:
    _written(tmp_path / "j")
    Journal(tmp_path / "j", "work").remove()
    Journal(tmp_path / "j", "work").remove()
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_writing_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Journal(path, "w") as journal:
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, hard))
        try:
            with pytest.raises(OSError, match="File too large") as failed:
                journal.record({0: "x"})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert described(failed.value) == f"{path}: File too large"
