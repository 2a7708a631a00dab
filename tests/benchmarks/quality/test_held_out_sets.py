"""Held-out sets are reproducible and disjoint."""

import lzma
import sys
from pathlib import Path

import pytest

from benchmarks.quality import held_out_sets
from benchmarks.quality.held_out_sets import WRITTEN
from model.data.corpus import SentencePair, read_pairs
from tests.data.toy_language import sentence_pairs

CONFIG = """\
name = "before"
[data]
source_language = "en"
target_language = "de"
train = ["en-de/train.tsv.xz"]
dev = "en-de/dev.tsv.xz"
sources = [{ name = "help", held_out = 5 }, { name = "tatoeba" }]
[training]
max_steps = 1
"""


def write(path: Path, rows: list[tuple[str, str, str]]) -> None:
    path.parent.mkdir(exist_ok=True)
    with lzma.open(path, "wt", encoding="utf-8") as file:
        file.writelines(f"{source}\t{target}\t{origin}\n" for source, target, origin in rows)


def cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> dict[str, str]:
    arguments = ["--data", str(tmp_path), "--out", str(tmp_path / name)]
    arguments += ["--before", str(tmp_path / "before.toml")]
    monkeypatch.setattr(sys, "argv", ["held_out_sets", *arguments])
    assert held_out_sets.main() == 0
    return {path.stem: path.read_text("utf-8") for path in (tmp_path / name).iterdir()}


def test_sets_are_the_same_every_time_and_share_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [(f"{s} {i}", f"{t} {i}") for i, (s, t) in enumerate(sentence_pairs(200, seed=4))]
    origins = ["help", "tatoeba"]
    write(tmp_path / "en-de" / "train.tsv.xz", [(*p, origins[i % 2]) for i, p in enumerate(pairs)])
    write(tmp_path / "en-de" / "dev.tsv.xz", [(*pairs[0], "dev")])
    domains = [domain for each in WRITTEN.values() for domain in each]
    written = [(f"{d} {i}", f"{d} {i} de", d) for i in range(20) for d in domains]
    write(tmp_path / "en-de-2" / "written.tsv.xz", written)
    (tmp_path / "before.toml").write_text(CONFIG, encoding="utf-8")

    texts = cut(tmp_path, monkeypatch, "first")
    assert texts == cut(tmp_path, monkeypatch, "second")
    assert set(texts) == {"domains", "tatoeba", *(f"written-{name}" for name in WRITTEN)}
    sets = {name: read_pairs(f"{name}.tsv", tmp_path / "first")[0] for name in texts}
    assert [pair.origin for pair in sets["domains"]] == ["help"] * 5
    assert {pair.origin for pair in sets["written-mail"]} == {"written-mail"}
    every = [(pair.source, pair.target) for each in sets.values() for pair in each]
    assert len(set(every)) == len(every)
    assert SentencePair(*pairs[0]) not in [SentencePair(*pair) for pair in every]
