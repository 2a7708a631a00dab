import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from model.cli import register
from model.training.checkpoint import AVERAGED_NAME, CONFIG_NAME, LAST_NAME, TOKENIZER_NAME
from tests.model.runs import both_ways, config_text, weights_of, write_data

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With data and a configuration."""
    (tmp_path / "run.toml").write_text(config_text(), encoding="utf-8")
    return write_data(tmp_path)


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training starts itself anew where these are not set."""
    for name in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"):
        monkeypatch.setenv(name, "4294967296")


def train(folder: Path, *flags: str) -> int:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    places = ["--data", str(folder), "--out", str(folder / "run"), "--threads", "1"]
    arguments = parser.parse_args(["train", str(folder / "run.toml"), *places, *flags])
    return int(arguments.run(arguments))


def error_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The error, which is the last line and has no traceback above it."""
    said = capsys.readouterr().err
    assert "Traceback" not in said
    line = said.splitlines()[-1]
    assert line.startswith("pellucid train: ")
    return line


def test_a_run_ends_with_a_summary_and_keeps_its_configuration(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(folder) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("12 steps, ")
    assert (folder / "run" / CONFIG_NAME).read_text(encoding="utf-8") == config_text()


def test_the_command_restarts_itself_with_another_setting_of_the_allocator(folder: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC")}
    command = [sys.executable, "-m", "model", "train", str(folder / "run.toml"), "--threads", "1"]
    command += ["--data", str(folder), "--out", str(folder / "other")]
    done = subprocess.run(command, cwd=REPOSITORY, env=kept, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    train(folder)
    ours, theirs = weights_of(folder / "run"), weights_of(folder / "other")
    assert all(ours[name].equal(theirs[name]) for name in ours)


def test_a_cpu_that_emulates_bfloat16_is_named_with_the_remedy(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = config_text(max_steps=2, validate_every=2, precision="bf16")
    (folder / "run.toml").write_text(text, encoding="utf-8")
    for has_instructions, is_named in ((True, False), (False, True)):
        capabilities = {"avx512_bf16": has_instructions}
        monkeypatch.setattr(torch.cpu, "get_capabilities", capabilities.copy)
        assert train(folder, *(["--resume"] if is_named else [])) == 0
        said = capsys.readouterr().out
        assert ('training.precision = "fp32" is faster' in said) == is_named
    (folder / "run.toml").write_text(text.replace("bf16", "fp32"), encoding="utf-8")
    assert train(folder, "--resume") == 0
    assert "is faster" not in capsys.readouterr().out


def test_bad_lines_are_reported_with_their_numbers(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (folder / "train.tsv").open("ab") as file:
        file.write(b"no tab\nempty\t\nlatin \xe9\tx\n")
    assert train(folder) == 0
    said = capsys.readouterr().out
    assert "train.tsv: 120 of 123 lines kept" in said
    for part in ("without a tab (line 121)", "empty side (line 122)", "not UTF-8 (line 123)"):
        assert part in said


def test_an_existing_run_is_not_overwritten(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(folder)
    before = (folder / "run" / LAST_NAME).read_bytes()
    assert train(folder) == 2
    assert "holds a run already: --resume it" in error_line(capsys)
    assert (folder / "run" / LAST_NAME).read_bytes() == before


def test_a_missing_run_is_not_resumed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(folder, "--resume") == 2
    assert "start without --resume" in error_line(capsys)
    assert not (folder / "run").exists()


def test_another_configuration_is_refused_and_the_runs_own_kept(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(folder)
    (folder / "run.toml").write_text(config_text(seed=2), encoding="utf-8")
    assert train(folder, "--resume") == 2
    assert "another configuration" in error_line(capsys)
    assert (folder / "run" / CONFIG_NAME).read_text(encoding="utf-8") == config_text()


def test_a_run_begins_from_another_and_decays_on_request(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(folder)
    (folder / "first").mkdir()
    for name in (AVERAGED_NAME, TOKENIZER_NAME, LAST_NAME):
        (folder / "run" / name).rename(folder / "first" / name)
    (folder / "run.toml").write_text(both_ways(config_text(max_steps=4)), encoding="utf-8")
    start = folder / "first" / AVERAGED_NAME
    assert train(folder, "--from", str(start)) == 0
    assert (folder / "run" / TOKENIZER_NAME).read_bytes() == (
        folder / "first" / TOKENIZER_NAME
    ).read_bytes()
    assert train(folder, "--resume", "--from", str(start)) == 2
    assert "has its own weights" in error_line(capsys)
    assert train(folder, "--resume", "--decay-minutes", "0.002") == 0
    assert int(capsys.readouterr().out.splitlines()[-1].split()[0]) > 4


def test_a_start_without_a_vocabulary_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(folder, "--from", str(folder / AVERAGED_NAME)) == 2
    assert "source.spm" in error_line(capsys)


@pytest.mark.parametrize("number", ["0", "-1"])
def test_threads_are_one_or_more(
    folder: Path, capsys: pytest.CaptureFixture[str], number: str
) -> None:
    with pytest.raises(SystemExit):
        train(folder, "--threads", number)
    assert f"{number} is not 1 or more" in capsys.readouterr().err


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf"])
def test_a_decay_takes_time(folder: Path, minutes: str) -> None:
    with pytest.raises(SystemExit):
        train(folder, "--resume", "--decay-minutes", minutes)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("run.toml", b"", "training: Field required"),
        ("run.toml", b"\xff", "run.toml"),
        ("run.toml", None, "No such file"),
        ("train.tsv", None, "train.tsv cannot be read"),
        ("train.tsv", b"\n\n", "nothing to train on"),
        ("dev.tsv", None, "dev.tsv cannot be read"),
        ("dev.tsv", b"a\t" + b"x" * 3000, "no pair is within data.max_tokens"),
        ("run", b"a file in the way", "File exists"),
        ("run.toml", config_text().replace("= 420", "= 50").encode(), "Vocabulary size"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: bytes | None,
    reason: str,
) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    assert train(folder) == 2
    assert reason in error_line(capsys)


def test_help_teaches_by_examples(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    with pytest.raises(SystemExit):
        parser.parse_args(["train", "--help"])
    assert "pellucid train model/configs/" in capsys.readouterr().out.partition("examples:")[2]
