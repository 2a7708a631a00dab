"""A bar on a terminal, one line elsewhere."""

import io

import pytest

from export.installation.progress import download_progress


class _Stream(io.StringIO):
    """Standard error, on a terminal or not."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def _shown(monkeypatch: pytest.MonkeyPatch, *, is_terminal: bool) -> str:
    stream = _Stream(is_terminal=is_terminal)
    monkeypatch.setattr("sys.stderr", stream)
    with download_progress("model.bin", 2_000_000, 500_000) as advance:
        for _ in range(3):
            advance(500_000)
    return stream.getvalue()


def test_a_terminal_shows_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = _shown(monkeypatch, is_terminal=True)
    assert "model.bin:  25%" in shown
    assert "model.bin: 100%" in shown


def test_a_log_has_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = _shown(monkeypatch, is_terminal=False)
    assert shown == "downloading model.bin, 2.0 MB, resumed at 0.5 MB\n"
