"""Ideas for training, on a toy language: each is run once, and compared."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks.quality.training import ideas
from benchmarks.quality.training.idea_outcome import Outcome, table
from benchmarks.quality.training.ideas import losses
from model.cli import MALLOC
from model.data.corpus import SentencePair
from model.directions import Direction
from model.training.checkpoint import AVERAGED_NAME, LAST_NAME, load_checkpoint
from tests.model.runs import config_text, new_trainer, toy_tokenizer, write_data

PLAN = """
share = 0.6
[common.training]
max_steps = 3
[[ideas]]
name = "baseline"
[[ideas]]
name = "fast"
changes.training.learning_rate = 0.05
[[ideas]]
name = "more text"
added = { "more.tsv" = 1 }
"""


def outcome(name: str, per_token: float, per_character: tuple[float, float]) -> Outcome:
    return Outcome(
        name=name,
        baseline="baseline",
        steps=1,
        target_tokens=1_250_000,
        cpu_minutes=2.0,
        per_token={"news": {"en-de": per_token, "de-en": per_token + 1}},
        per_character={"news": dict(zip(("en-de", "de-en"), per_character, strict=True))},
    )


def test_ideas_are_compared_per_character() -> None:
    lines = table([outcome("baseline", 2.0, (0.5, 0.4)), outcome("larger", 3.0, (0.495, 0.388))])
    assert lines[0] == "| idea | tokens | minutes | news | mean | against baseline |"
    assert lines[2] == "| baseline | 1.25M | 2.0 | 2.500 | 2.500 |  |"
    assert lines[3] == "| larger | 1.25M | 2.0 | 3.500 | 3.500 | -2.00 % ± 1.00 |"


def test_ideas_are_run_once_from_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = _toy(tmp_path)
    monkeypatch.setattr(sys, "argv", ["ideas", *arguments])
    for name, value in MALLOC.items():
        monkeypatch.setenv(name, value)
    assert ideas.main() == 0
    assert "more text: not run without more.tsv" in capsys.readouterr().out
    result = json.loads((tmp_path / "ideas.json").read_text(encoding="utf-8"))
    first = {found["name"]: found for found in result["outcomes"]}
    assert list(first) == ["before", "baseline", "fast"]
    assert [found["steps"] for found in first.values()] == [0, 3, 3]
    assert first["baseline"]["per_token"] != first["fast"]["per_token"]
    out = tmp_path / "out"
    assert not (out / "fast" / LAST_NAME).exists()
    times = {path: path.stat().st_mtime_ns for path in out.rglob(AVERAGED_NAME)}
    assert ideas.main() == 0
    assert times == {path: path.stat().st_mtime_ns for path in out.rglob(AVERAGED_NAME)}


def test_no_measured_pair_is_in_the_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = _toy(tmp_path)
    monkeypatch.setattr(sys, "argv", ["ideas", *arguments, "--only", "baseline"])
    for name, value in MALLOC.items():
        monkeypatch.setenv(name, value)
    ideas.main()
    data = tmp_path / "out" / "data"
    measured = (tmp_path / "set.tsv").read_text(encoding="utf-8").splitlines()
    assert set(measured) <= set((data / "never.tsv").read_text(encoding="utf-8").splitlines())
    sampled = (data / "sample.tsv").read_text(encoding="utf-8").splitlines()
    rest = (data / "rest.tsv").read_text(encoding="utf-8").splitlines()
    train = (tmp_path / "train.tsv").read_text(encoding="utf-8").splitlines()
    assert sorted(sampled + rest) == sorted(train)
    assert rest


def test_losses_are_the_same_nats_over_tokens_and_over_characters(tmp_path: Path) -> None:
    text = config_text(max_steps=1)
    new_trainer(text, write_data(tmp_path), tmp_path / "run").run()
    pairs = [SentencePair("a b", "ba ce di"), SentencePair("a", "fo")]
    model = load_checkpoint(tmp_path / "run" / AVERAGED_NAME).model
    directions = [Direction(source="en", target="de")]
    per_token, per_character = losses(model, toy_tokenizer(), {"toy": pairs}, directions)
    encoded = toy_tokenizer().encode([p.target for p in pairs], add_eos=True)
    total = per_token["toy"]["en-de"] * sum(map(len, encoded))
    assert per_character["toy"]["en-de"] * 10 == pytest.approx(total, rel=1e-3)


def _toy(folder: Path) -> list[str]:
    """Arguments of ideas on a toy language, whose weights and files are in `folder`."""
    write_data(folder)
    text = config_text(max_steps=2).replace(
        "[tokenizer]", 'sources = [{ name = "toy", weight = 1 }]\n[tokenizer]'
    )
    new_trainer(text, folder, folder / "run").run()
    (folder / "base.toml").write_text(text, encoding="utf-8")
    (folder / "plan.toml").write_text(PLAN, encoding="utf-8")
    lines = (folder / "train.tsv").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "set.tsv").write_text("".join(lines[:9]), encoding="utf-8")
    paths = {
        "--plan": folder / "plan.toml",
        "--base": folder / "base.toml",
        "--data": folder,
        "--from": folder / "run" / AVERAGED_NAME,
        "--sets": folder / "set.tsv",
        "--output": folder / "out",
        "--json": folder / "ideas.json",
    }
    return [argument for name, path in paths.items() for argument in (name, str(path))]
