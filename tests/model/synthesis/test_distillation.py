"""What a model makes of text, as pairs for another one."""

import sys
from pathlib import Path

import pytest

from model.data.corpus import SentencePair, read_pairs
from model.data.tokenizer import load_tokenizer
from model.synthesis import distillation_cli
from model.synthesis.distillation import distilled
from model.training.checkpoint import AVERAGED_NAME, load_checkpoint
from tests.model.runs import new_trainer, shift_task_text, write_shift_task

WORDS = ["ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu"]
PAIRS = [SentencePair(f"{a} {b}", "?", "toy") for a in WORDS for b in WORDS]


def shifted(text: str, by: int) -> str:
    return " ".join(WORDS[(WORDS.index(word) + by) % 10] for word in text.split())


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoint of a model that has learned the shift task both ways."""
    data, out = (tmp_path_factory.mktemp(name) for name in ("data", "run"))
    new_trainer(shift_task_text(), write_shift_task(data), out).run()
    return out / AVERAGED_NAME


def test_the_far_side_is_what_the_model_says(learned: Path) -> None:
    checkpoint = load_checkpoint(learned)
    tokenizer = load_tokenizer(checkpoint.tokenizer_path)
    forward, backward = checkpoint.config.data.directions
    found = list(distilled(checkpoint.model, tokenizer, PAIRS, forward, batch_tokens=200))
    assert {pair.source for pair in found} == {pair.source for pair in PAIRS}
    right = sum(pair.target == shifted(pair.source, 1) for pair in found)
    assert right > 80
    turned = [SentencePair("?", pair.source, "toy") for pair in PAIRS]
    found = list(distilled(checkpoint.model, tokenizer, turned, backward, batch_tokens=200))
    assert {pair.target for pair in found} == {pair.source for pair in PAIRS}
    assert sum(pair.source == shifted(pair.target, -1) for pair in found) > 80
    assert {(pair.origin, pair.prefix) for pair in found} == {("toy", None)}


def test_a_text_that_comes_twice_is_translated_once(learned: Path) -> None:
    checkpoint = load_checkpoint(learned)
    tokenizer = load_tokenizer(checkpoint.tokenizer_path)
    forward = checkpoint.config.data.directions[0]
    twice = [*PAIRS[:5], *PAIRS[:5]]
    found = list(distilled(checkpoint.model, tokenizer, twice, forward, batch_tokens=12))
    assert sorted(pair.source for pair in found) == sorted(pair.source for pair in PAIRS[:5])


def test_the_command_writes_pairs_of_the_chosen_sources(
    learned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "ba ce\tce di\tnews\nfo gu\tgu ha\thelp\n"
    (tmp_path / "text.tsv").write_text(text, encoding="utf-8")
    out = tmp_path / "made.tsv"
    arguments = [str(learned), str(tmp_path / "text.tsv"), "--sources", "news", "--to", "de"]
    arguments += ["--device", "cpu", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["distillation", *arguments])
    assert distillation_cli.main() == 0
    (pair,) = read_pairs("made.tsv", tmp_path)[0]
    assert (pair.source, pair.origin) == ("ba ce", "made-news")
