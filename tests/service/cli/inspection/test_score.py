import io
import json

import pytest

from service.cli.main import main
from tests.service.tiny_models import TINY_BUNDLE, tiny_bundle

PAIR = tiny_bundle().manifest.canary.pair
FLAGS = ["--source", PAIR.source, "--target", PAIR.target, "--bundles", str(TINY_BUNDLE)]
TEXT = tiny_bundle().manifest.canary.source_text


def test_a_pair_is_scored(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", TEXT, "ein Satz", *FLAGS]) == 0
    assert float(capsys.readouterr().out) < 0


def test_pairs_come_as_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{TEXT}\teins\n\n{TEXT}\tzwei\n"))
    assert main(["score", "--json", *FLAGS]) == 0
    scores = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(scores) == 2
    assert all(s["score"] == pytest.approx(sum(s["token_scores"])) for s in scores)


@pytest.mark.parametrize(
    ("texts", "lines", "message"),
    [
        (["one"], "", "1 texts were given"),
        ([], "no tab here\n", "line 1 has no tab"),
    ],
)
def test_what_is_no_pair_is_one_line_of_error(
    texts: list[str],
    lines: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    assert main(["score", *texts, *FLAGS]) != 0
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])  # by locale
def test_lines_are_utf_8_whatever_the_locale(
    errors: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def score(content: bytes) -> int:
        given = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", errors=errors)
        monkeypatch.setattr("sys.stdin", given)
        return main(["score", "--json", *FLAGS])

    pair = f"{TEXT}\teins\n".encode()
    assert score(pair) == score(b"\xef\xbb\xbf" + pair) == 0
    one, other = capsys.readouterr().out.splitlines()
    assert one == other, "a byte order mark is no text"
    assert score(pair + b"caf\xe9\teins\n") == 1
    assert capsys.readouterr().err == "pellucid: line 2 is not UTF-8\n"
