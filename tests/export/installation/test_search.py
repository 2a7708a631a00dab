"""The output of `pellucid search` where it cannot be written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.export.installation.test_install import COMMAND


def _searched(output: int, folder: Path) -> tuple[int, str]:
    """Exit code and messages of a search that writes far more than a buffer to an open file."""
    package = {"package_version": "1.0", "from_code": "en", "to_code": "de", "links": ["x"]}
    (folder / "index.json").write_text(json.dumps([package] * 1000))
    index = ("--from", "argos", "--index", str(folder / "index.json"))
    try:
        ended = subprocess.run(
            [sys.executable, "-c", COMMAND, "search", *index],
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=Path(__file__).parents[3],
        )
    finally:
        os.close(output)
    return ended.returncode, ended.stderr


def test_a_list_ends_in_silence_where_its_reader_has_closed_it(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    assert _searched(writer, tmp_path) == (1, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_output_is_not_taken_for_the_disk_of_the_bundles(tmp_path: Path) -> None:
    code, message = _searched(os.open("/dev/full", os.O_WRONLY), tmp_path)
    assert (code, message) == (1, "pellucid: standard output: No space left on device\n")
