"""Scores of a real bundle on a text whose translations it knows, and on bad input."""

import argparse
import lzma
import stat
from pathlib import Path

import pytest

from export.evaluation.cli import register
from export.evaluation.outputs import Output, Search, System, translate_with
from export.evaluation.scores import Scoring, compare, score
from export.evaluation.texts import TestText as Text
from tests.data.make_tiny_bundle import OUT as TINY
from tests.data.toy_language import sentence_pairs

PAIRS = sentence_pairs(40, seed=9)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With `test.en` and `test.de`."""
    (tmp_path / "test.en").write_text("".join(f"{s}\n" for s, _ in PAIRS), encoding="utf-8")
    (tmp_path / "test.de").write_text("".join(f"{t}\n" for _, t in PAIRS), encoding="utf-8")
    return tmp_path


def evaluate(folder: Path, *flags: str, bundle: Path = TINY) -> int:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    files = ["--source", str(folder / "test.en"), "--reference", str(folder / "test.de")]
    arguments = parser.parse_args(["evaluate", str(bundle), *files, *flags])
    return int(arguments.run(arguments))


def system(*texts: str) -> System:
    return System(name="s", beam_size=1, outputs=tuple(Output(text=text) for text in texts))


def test_a_good_bundle_scores_high_with_signatures(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(folder, "--beam", "2") == 0
    name, bleu, chrf, ratio, faults = capsys.readouterr().out.splitlines()
    assert name == f"{TINY}: 40 sentences, beam 2"
    assert float(bleu.split()[1]) > 60
    assert "|tok:13a|" in bleu
    assert "|version:" in bleu
    assert float(chrf.split()[1]) > 60
    assert float(ratio.split()[-1]) == pytest.approx(1, abs=0.1)
    assert faults.strip().startswith("0 empty, 0 looping, 0 cut off, 0 not translated")


def test_its_own_translations_score_full_marks_in_every_row(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = translate_with(TINY, [source for source, _ in PAIRS], Search()).texts
    with lzma.open(folder / "own.de.xz", "wt", encoding="utf-8") as file:
        file.write("".join(f"{text}\n" for text in own))
    table = folder / "table.tsv"
    more = ["--reference", str(folder / "own.de.xz"), "--table", str(table), "--lower-case"]
    assert evaluate(folder, *more) == 0
    assert "BLEU 100.00 (nrefs:2|case:lc|" in capsys.readouterr().out
    header, *rows = [line.split("\t") for line in table.read_text("utf-8").splitlines()]
    assert header[:6] == ["line", "bleu", "chrf", "fault", "output", "source"]
    assert header[6:] == ["reference_1", "reference_2"]
    assert [row[0] for row in rows] == [str(i) for i in range(1, 41)]
    assert [row[4] for row in rows] == own == [row[7] for row in rows]
    assert {row[1] for row in rows} == {row[2] for row in rows} == {"100.00"}


def test_a_bundle_does_not_differ_from_itself(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = folder / "table.tsv"
    assert evaluate(folder, "--against", str(TINY), "--table", str(table)) == 0
    *_, bleu, chrf = capsys.readouterr().out.splitlines()
    assert bleu.strip().startswith("BLEU +0.00, p = 1.000: not significant (")
    assert chrf.strip().startswith("chrF2 +0.00, p = 1.000: not significant (")
    assert "bs:1000|seed:12345" in bleu
    assert table.read_text("utf-8").startswith("line\tbleu\tchrf\tfault\toutput\tbleu_2\t")


def test_a_system_that_is_much_better_differs_significantly() -> None:
    references = tuple(target for _, target in PAIRS)
    text = Text(sources=tuple(source for source, _ in PAIRS), references=(references,))
    good = system(*references)
    bad = system(*(" ".join(text.split()[:-1]) + " Unsinn." for text in references))
    for difference in compare(bad, good, text, Scoring()):
        assert difference.difference > 1
        assert difference.p_value < 0.01
    for difference in compare(good, bad, text, Scoring()):
        assert difference.difference < -1


def test_faults_are_counted_by_kind() -> None:
    outputs = (
        Output(text=""),
        Output(text="", is_too_long=True),
        Output(text="a a a a", is_looping=True, is_cut_off=True),
        Output(text="a b", is_cut_off=True),
        Output(text="a b c"),
    )
    text = Text(sources=("x",) * 5, references=(("a b c",) * 5,))
    scores = score(System(name="s", beam_size=1, outputs=outputs), text, Scoring())
    counts = (scores.num_empty, scores.num_too_long, scores.num_looping, scores.num_cut_off)
    assert counts == (1, 1, 1, 1)
    assert scores.length_ratio == pytest.approx(9 / 15)


def test_a_source_that_is_too_long_counts_as_empty_and_is_reported(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (folder / "test.en").open("a", encoding="utf-8") as file:
        file.write("word " * 400 + "\n\n")
    with (folder / "test.de").open("a", encoding="utf-8") as file:
        file.write("Wort\nWort\n")
    table = folder / "table.tsv"
    assert evaluate(folder, "--table", str(table)) == 0
    assert "1 not translated because the source is too long" in capsys.readouterr().out
    assert [row.split("\t")[3] for row in table.read_text("utf-8").splitlines()][41] == "too-long"


@pytest.mark.parametrize(
    ("changes", "flags", "reason"),
    [
        ({"test.de": b"one line\n"}, [], "has 1 lines and"),
        ({"test.de": b"x\n\xff\xfe\n" + b"x\n" * 38}, [], "not UTF-8 in line 2"),
        ({"test.en": b"\n \n"}, [], "has no sentence"),
        ({"test.en": None}, [], "test.en cannot be read"),
        ({}, ["--pair", "de-fr"], "translates en-de: say which with --pair"),
        ({}, ["--beam-size", "9"], "--beam-size is 9; it must be 1 to 8"),
        ({}, ["--beam", "0"], "--beam-size is 0"),
        ({}, ["--length-penalty", "-1"], "--length-penalty is -1.0"),
        ({}, ["--against", "nowhere"], "bundle nowhere cannot be used"),
        ({}, ["--table", "nowhere/table.tsv"], "nowhere/table.tsv"),
        ({}, ["--table", "."], "--table . is a folder: name a file"),
        ({}, ["--length-penalty", "inf"], "--length-penalty is inf; it must be finite"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, bytes | None],
    flags: list[str],
    reason: str,
) -> None:
    for name, content in changes.items():
        (folder / name).unlink() if content is None else (folder / name).write_bytes(content)
    assert evaluate(folder, *flags) == 2
    printed = capsys.readouterr()
    line = printed.err.splitlines()[-1]
    assert line.startswith("pellucid evaluate: ")
    assert reason in line
    assert printed.out == ""  # nothing was translated in vain


def test_a_carriage_return_within_a_sentence_ends_no_row(folder: Path) -> None:
    lines = (folder / "test.en").read_bytes().splitlines(keepends=True)
    (folder / "test.en").write_bytes(b"a\rb\n" + b"".join(lines[1:]))
    table = folder / "table.tsv"
    assert evaluate(folder, "--table", str(table)) == 0
    rows = table.read_bytes().splitlines()
    assert len(rows) == len(lines) + 1
    assert rows[1].split(b"\t")[5] == b"a b"


def comet_program(folder: Path, script: str) -> Path:
    """What stands in for `comet-score`, which has a model of gigabytes: it takes its flags."""
    program = folder / "bin" / "comet-score"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program.parent


@pytest.mark.parametrize(
    ("script", "code", "told"),
    [
        ('test "$8 $9 ${10}" = "--only_system --model m" && wc -l < "$4"', 0, "COMET 40.0000 (m)"),
        (
            "echo no such model >&2; exit 1",
            2,
            "no score; it printed: no such model",
        ),
        (None, 2, "install unbabel-comet"),
    ],
)
def test_comet_is_run_as_a_program(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    script: str | None,
    code: int,
    told: str,
) -> None:
    path = f"{comet_program(folder, script)}:/usr/bin:/bin" if script else str(folder / "none")
    monkeypatch.setenv("PATH", path)
    assert evaluate(folder, "--comet", "m") == code
    said = capsys.readouterr()
    assert told in said.out + said.err
