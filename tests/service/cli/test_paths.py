"""Errors of the system, as commands print them."""

from pathlib import Path

import pytest

from service.cli.paths import check_input, check_output, described, naming
from service.errors import StartupError


def test_an_error_of_opening_says_path_and_reason(tmp_path: Path) -> None:
    path = tmp_path / "gone"
    with pytest.raises(FileNotFoundError) as failed, naming("another"):
        path.open("rb").close()
    assert described(failed.value) == f"{path}: No such file or directory"


def test_an_error_of_writing_gets_the_path() -> None:
    with (
        Path("/dev/full").open("wb", buffering=0) as full,
        pytest.raises(OSError, match="No space left") as failed,
        naming("standard output"),
    ):
        full.write(b"x")
    assert described(failed.value) == "standard output: No space left on device"


def test_an_error_of_two_paths_says_both(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file") as failed:
        (tmp_path / "a").rename(tmp_path / "b")
    assert described(failed.value) == f"{tmp_path}/a -> {tmp_path}/b: No such file or directory"


def test_an_error_without_a_number_stays_as_it_is() -> None:
    assert described(OSError("the address is no address")) == "the address is no address"


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="is a directory: name a file"):
        check_input(tmp_path)
    with pytest.raises(StartupError, match=r"--output .* is a directory: name a file"):
        check_output(tmp_path, "--output")
    with pytest.raises(StartupError, match="there is no file"):
        check_input(tmp_path / "gone")
    with pytest.raises(StartupError, match="there is no folder"):
        check_output(tmp_path / "gone" / "a", "--output")
