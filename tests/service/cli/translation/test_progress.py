"""Progress is shown on a terminal, and only there."""

import os
import pty
import subprocess
import termios
import threading
from pathlib import Path

from tests.service.cli.test_main import MODEL, TEXT
from tests.service.server_process import REPOSITORY, command, environment


def _shown(*arguments: str, terminal_takes_output: bool = False) -> str:
    """What a command writes to a terminal as its standard error."""
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, 80))
    shown: list[bytes] = []
    reader = threading.Thread(target=_read, args=(leader, shown))
    reader.start()
    subprocess.run(
        command(*arguments),
        cwd=REPOSITORY,
        env=environment(TERM="xterm"),
        stdin=subprocess.DEVNULL,
        stdout=follower if terminal_takes_output else subprocess.DEVNULL,
        stderr=follower,
        check=True,
    )
    os.close(follower)
    reader.join()
    os.close(leader)
    return b"".join(shown).decode("utf-8")


def _read(leader: int, shown: list[bytes]) -> None:
    try:
        while data := os.read(leader, 4_096):
            shown.append(data)
    except OSError:
        return  # the last writer has closed the terminal


def _file(folder: Path) -> str:
    path = folder / "a.txt"
    path.write_text(f"{TEXT}\n\n" * 3, encoding="utf-8")
    return str(path)


def test_lines_have_a_bar_that_ends_at_all_of_them(tmp_path: Path) -> None:
    last = _shown("translate", *MODEL, _file(tmp_path)).split("\r")
    assert any("100%" in bar and "6/6" in bar and "lines" in bar for bar in last)


def test_a_document_has_a_bar_that_ends_at_all_characters(tmp_path: Path) -> None:
    output = str(tmp_path / "b.txt")
    bars = _shown("translate", *MODEL, _file(tmp_path), "--output", output).split("\r")
    assert any("100%" in bar and "chars" in bar for bar in bars)


def test_no_bar_stands_between_lines_on_the_same_terminal(tmp_path: Path) -> None:
    shown = _shown("translate", *MODEL, _file(tmp_path), terminal_takes_output=True)
    assert "%" not in shown
    assert len(shown.split("\r\n")) == 7
