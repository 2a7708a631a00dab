"""`pellucid attention FILE --output`: every line of a file, in one file."""

import json
from pathlib import Path

import numpy as np
import pytest

from service.cli.main import main
from tests.service.tiny_models import TINY_BUNDLE, tiny_bundle

TEXT = tiny_bundle().manifest.canary.source_text
EN_DE = Path(__file__).parents[4] / "bundles" / "en-de"
MODEL = ["--source", "en", "--target", "de", "--bundles", str(TINY_BUNDLE)]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """More lines than are read at once; the last one has no letters."""
    path = tmp_path / "corpus.txt"
    words = TEXT.split()
    lines = [" ".join(words[: 1 + i % len(words)]) for i in range(10)]
    path.write_text("\n".join([*lines, "12"]) + "\n", encoding="utf-8")
    return path


def test_arrays_are_those_of_single_texts(corpus: Path, tmp_path: Path) -> None:
    out, alone = tmp_path / "corpus.npz", tmp_path / "alone.npz"
    assert main(["attention", str(corpus), *MODEL, "--output", str(out)]) == 0
    found = np.load(out)
    lines = corpus.read_text(encoding="utf-8").splitlines()
    assert [str(found[f"{i}.source"]) for i in range(11)] == lines
    for number in (0, 9):
        assert main(["attention", lines[number], *MODEL, "--out", str(alone)]) == 0
        single = np.load(alone)
        assert {n for n in found if n.startswith(f"{number}.")} == {f"{number}.{n}" for n in single}
        for name, values in single.items():
            np.testing.assert_array_equal(found[f"{number}.{name}"], values)


@pytest.mark.parametrize("method", ["value_zeroing", "alti"])
def test_contributions_are_those_of_single_texts(method: str, tmp_path: Path) -> None:
    path, out, alone = (tmp_path / name for name in ("corpus.txt", "corpus.npz", "alone.npz"))
    lines = ["Where is the station?", "Thank you for your letter of Monday."]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    options = [*MODEL[:4], "--bundles", str(EN_DE), "--method", method, "--output"]
    assert main(["attention", str(path), *options, str(out)]) == 0
    assert main(["attention", lines[0], *options, str(alone)]) == 0
    found, single = np.load(out), np.load(alone)
    for number in range(len(lines)):
        sides = [found[f"{number}.contributions.{side}"] for side in ("source", "target")]
        np.testing.assert_allclose(np.concatenate(sides, axis=1).sum(axis=1), 1, atol=1e-5)
    for side in ("source", "target"):
        name = f"contributions.{side}"
        np.testing.assert_array_equal(found[f"0.{name}"], single[name])


def test_alignments_are_judged_by_gold(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own alignments as gold are without error; without links every one is wrong."""
    out, gold = tmp_path / "corpus.pharaoh", tmp_path / "gold"
    assert main(["attention", str(corpus), *MODEL, "--output", str(out)]) == 0
    lines = out.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 11 and lines[-1] == "" and "0-0" in lines[0]
    gold.write_text(out.read_text(encoding="utf-8"), encoding="utf-8")
    arguments = ["attention", str(corpus), *MODEL, "--output", str(out), "--gold", str(gold)]
    assert main(arguments) == 0
    assert capsys.readouterr().out == "alignment error rate 0.0000 over 11 lines\n"
    gold.write_text("99-99\n" * 11, encoding="utf-8")
    assert main(arguments) == 0
    assert capsys.readouterr().out == "alignment error rate 1.0000 over 11 lines\n"


def test_gold_that_counts_from_1_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out, gold = (tmp_path / name for name in ("pairs.tsv", "x.pharaoh", "gold"))
    path.write_text(f"{TEXT}\tein Hund\n" * 3, encoding="utf-8")
    arguments = ["attention", str(path), *MODEL, "--output", str(out), "--gold", str(gold)]
    gold.write_text("0-0 1-1\n1-1 2-2\n1-1 2?2\n", encoding="utf-8")
    assert main(arguments) == 0
    told = capsys.readouterr()
    assert told.out.startswith("alignment error rate ")
    assert told.err == (
        f"{gold}: links of tokens that are not there in 2 of its lines, first 2-2 in line 2: "
        "tokens count from 0\n"
    )
    gold.write_text("0-0 1-1\n" * 3, encoding="utf-8")
    assert main(arguments) == 0
    assert capsys.readouterr().err == ""


def test_translations_stand_behind_a_tab(tmp_path: Path) -> None:
    path, out = tmp_path / "pairs.tsv", tmp_path / "pairs.json"
    path.write_text(f"{TEXT}\t{TEXT}\n{TEXT}\tein Hund\n", encoding="utf-8")
    assert main(["attention", str(path), *MODEL, "--method", "rollout", "--output", str(out)]) == 0
    sequences = json.loads(out.read_text(encoding="utf-8"))["attributes"]["sequence_attributions"]
    targets = [[t["attributes"]["token"] for t in s["attributes"]["target"]] for s in sequences]
    assert ["".join(tokens[1:-1]).replace("▁", " ").strip() for tokens in targets] == [
        TEXT,
        "ein Hund",
    ]


@pytest.mark.parametrize(
    ("content", "arguments", "code", "message"),
    [
        ("a\n", ["--output", "x.svg"], 2, ".npz, .pharaoh, .json"),
        ("a\n", ["--output", "nowhere/x.npz"], 2, "no folder nowhere"),
        ("a\n", ["--output", "x.json"], 2, "give another --method"),
        ("a\n", ["--output", "x.npz", "--table"], 2, "goes without --table"),
        ("a\n", ["--gold", "gold"], 2, "--gold needs --output"),
        ("a\nb\tc\n", ["--output", "x.npz"], 1, "line 2 of"),
        (None, ["--output", "x.npz"], 2, "there is no file"),
    ],
)
def test_wrong_use_is_one_line(
    content: str | None,
    arguments: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("corpus.tsv").write_text(content, encoding="utf-8")
    assert main(["attention", "corpus.tsv", *MODEL, *arguments]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_only_line_feeds_end_lines(tmp_path: Path) -> None:
    """As for other programs, so that gold alignments stay beside their lines."""
    path, out = tmp_path / "corpus.txt", tmp_path / "corpus.npz"
    path.write_bytes(b"\xef\xbb\xbf" + "ein\u2028Hund\r\n\x0c\nein\x85Haus".encode())
    assert main(["attention", str(path), *MODEL, "--output", str(out)]) == 0
    found = np.load(out)
    assert [str(found[f"{i}.source"]) for i in range(3)] == ["ein\u2028Hund", "\x0c", "ein\x85Haus"]
    assert "3.source" not in found


def test_lines_that_are_not_utf_8_are_named(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes(b"a\ncaf\xe9\n")
    out = ["--output", str(tmp_path / "x.pharaoh")]
    assert main(["attention", str(path), *MODEL, *out]) == 1
    assert main(["attention", str(corpus), *MODEL, *out, "--gold", str(path)]) == 1
    expected = f"pellucid: line 2 of {path} is not UTF-8"
    assert capsys.readouterr().err.splitlines() == [expected] * 2


def test_a_line_that_cannot_be_inspected_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text(f"{TEXT}\tein Hund\n" * 9 + f"{TEXT}\t{'ein Hund ' * 200}\n")
    assert main(["attention", str(path), *MODEL, "--output", str(tmp_path / "x.npz")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("pellucid: line 10: Invalid request: the translation has ")


def test_wrong_gold_is_named(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gold, out = tmp_path / "gold", tmp_path / "x.pharaoh"
    arguments = ["attention", str(corpus), *MODEL, "--output", str(out), "--gold", str(gold)]
    gold.write_text("0-0\n", encoding="utf-8")
    assert main(arguments) == 1
    assert "has 1 lines, not 11" in capsys.readouterr().err
    gold.write_text("0-0\n" * 10 + "0:0\n", encoding="utf-8")
    assert main(arguments) == 1
    assert "line 11 of" in capsys.readouterr().err
