"""`pellucid export`: one line and an exit code."""

import argparse
from pathlib import Path

import pytest

from bundle.reader import read_bundle
from export import renewal
from export.arguments import HEAD_SENTENCES
from export.cli import register
from tests.export.runs import write_run
from tests.export.wrong_files import ADVICE, WRONG_FILES


def _export(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers(required=True))
    parsed = parser.parse_args(["export", *map(str, arguments)])
    return int(parsed.run(parsed))


def test_a_checkpoint_becomes_a_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint, out = write_run(tmp_path / "run"), tmp_path / "out"
    sizes = ["--max-source-tokens", 32, "--max-target-tokens", 24, "--sentences", 20]
    more = ["--max-bleu-loss", 100, "--name", "small", "--length-penalty", 1.25]
    more += ["--heads", 2]
    assert _export(checkpoint, out, "--data", checkpoint.parent, *sizes, *more) == 0
    printed = capsys.readouterr()
    (line,) = printed.out.splitlines()
    assert line.startswith(f"{out}: 0.")
    assert "int8 beam 1 BLEU" in line
    manifest = read_bundle(out).manifest
    assert (manifest.name, manifest.max_source_tokens, manifest.max_target_tokens) == (
        "small",
        32,
        24,
    )
    assert manifest.quality[0].sentences == 20
    assert manifest.heads is not None
    assert manifest.heads.sentences == 2
    assert len(manifest.heads.heads) == 12
    assert (manifest.decoding.beam_size, manifest.decoding.length_penalty) == (4, 1.25)
    # The text that it was trained on is not there.
    assert manifest.known_words == ()
    assert "known words are not collected: " in printed.err


@pytest.mark.parametrize("missing", ["checkpoint", "data"])
def test_what_cannot_be_exported_is_one_line_and_exit_code_2(
    missing: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = write_run(tmp_path / "run")
    given = {"checkpoint": checkpoint, "data": checkpoint.parent} | {missing: tmp_path / "none"}
    out = tmp_path / "out"
    sizes = ["--max-source-tokens", 32, "--max-target-tokens", 32]
    assert _export(given["checkpoint"], out, "--data", given["data"], *sizes) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("pellucid export: ")
    assert str(tmp_path / "none") in line
    assert not out.exists()


@pytest.mark.parametrize(
    ("precision", "reason"),
    [
        ("int8-fast", "it was measured no faster than int8"),
        ("int4", "int4 is neither int8 nor fp32"),
    ],
)
def test_a_precision_that_is_not_offered_is_refused_with_the_reason(
    precision: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        _export("x.pt", "out", "--data", "data", "--precision", precision)
    assert ended.value.code == 2
    assert reason in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("flag", ["--sentences", "--max-source-tokens", "--max-target-tokens"])
def test_counts_below_one_are_wrong_use(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        _export("x.pt", "out", "--data", "data", flag, "0")
    assert ended.value.code == 2
    assert "0 is not 1 or more" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--max-source-tokens", "--max-target-tokens"])
def test_limits_that_no_bundle_has_are_wrong_use(
    flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        _export("x.pt", "out", "--data", "data", flag, "16385")
    assert "16385 is over 16384, the most of a bundle" in capsys.readouterr().err


def test_a_beam_that_the_engine_cannot_keep_is_wrong_use(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        _export("x.pt", "out", "--data", "data", "--beam-size", "9")
    assert "9 is over 8, the widest beam" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        renewal._parser().parse_args(["bundle", "--beam-size", "9"])
    assert "9 is over 8, the widest beam" in capsys.readouterr().err


def test_heads_are_measured_unless_it_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers(required=True))
    given = ["export", "x.pt", "out", "--data", "data"]
    assert parser.parse_args(given).heads == HEAD_SENTENCES
    assert parser.parse_args([*given, "--heads", "0"]).heads == 0
    with pytest.raises(SystemExit):
        parser.parse_args([*given, "--heads", "-1"])
    assert "-1 is not 0 or more" in capsys.readouterr().err


@pytest.mark.parametrize("penalty", ["-1", "inf", "nan"])
def test_a_length_penalty_that_ranks_nothing_is_wrong_use(
    penalty: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        _export("x.pt", "out", "--data", "data", "--length-penalty", penalty)
    assert ended.value.code == 2
    assert f"{penalty} is not a finite number of 0 or more" in capsys.readouterr().err


@pytest.mark.parametrize("content", WRONG_FILES.values(), ids=WRONG_FILES)
def test_a_wrong_file_is_one_line_without_advice_to_load_it_unsafely(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint, out = tmp_path / "averaged.pt", tmp_path / "out"
    checkpoint.write_bytes(content)
    assert _export(checkpoint, out, "--data", tmp_path) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("pellucid export: ")
    assert str(checkpoint) in line
    assert not [word for word in ADVICE if word in line]
    assert not out.exists()
