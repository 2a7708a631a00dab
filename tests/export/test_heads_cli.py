"""`pellucid heads` prints what it measures, and writes it on request."""

import argparse
import json
import shutil
from pathlib import Path

import pytest

from bundle.errors import BundleError
from bundle.manifest import MANIFEST_NAME, HeadReport, HeadsReport
from bundle.reader import read_bundle
from export.heads_cli import register, table, write_heads
from tests.service.tiny_models import TINY_BUNDLE, tiny_bundle


def report(**changes: object) -> HeadsReport:
    head = HeadReport(
        kind="cross",
        layer=1,
        head=2,
        name="aligner",
        entropy=0.5,
        on_sink=0.1,
        on_current=None,
        on_previous=0.05,
        on_next=0.05,
        on_aligned=0.7,
        bleu_lost=3.21,
        agreement_lost=0.25,
    ).model_copy(update=changes)
    return HeadsReport(
        dataset="held-out",
        pair=tiny_bundle().manifest.pairs[0],
        sentences=200,
        bleu=30.5,
        bleu_signature="",
        agreement=0.8,
        heads=(head,),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TINY_BUNDLE, tmp_path / "tiny"))


def test_the_report_is_all_that_changes_in_the_manifest(folder: Path) -> None:
    before = json.loads((folder / MANIFEST_NAME).read_bytes())
    write_heads(folder, report())
    after = json.loads((folder / MANIFEST_NAME).read_bytes())
    assert after.pop("heads")["heads"][0]["name"] == "aligner"
    assert after == before
    assert read_bundle(folder).manifest.heads == report()


def test_heads_that_the_bundle_does_not_have_are_refused(folder: Path) -> None:
    with pytest.raises(BundleError, match="cross layer 9, head 2 does not exist"):
        write_heads(folder, report(layer=9))
    assert read_bundle(folder).manifest.heads is None


def test_a_head_is_a_line_with_what_changes_without_it() -> None:
    lines = table(report()).splitlines()
    assert "BLEU 30.50, alignment 0.800" in lines[0]
    assert lines[2].split() == [
        *("cross", "1", "2", "aligner", "0.50", "0.10", "-", "0.05", "0.05", "0.70"),
        *("-3.21", "-0.250"),
    ]


def test_command_measures_and_writes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.data.toy_language import sentence_pairs

    text = folder.parent / "held-out.tsv"
    pairs = sentence_pairs(8, seed=3)
    text.write_text("".join(f"{s}\t{t}\n" for s, t in pairs), encoding="utf-8")
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    arguments = parser.parse_args(["heads", str(folder), str(text), "--sentences", "2", "--write"])
    assert arguments.run(arguments) == 0
    heads = read_bundle(folder).manifest.heads
    assert heads is not None
    assert heads.sentences == 2
    assert capsys.readouterr().out.strip() == table(heads)


def test_a_missing_file_is_told_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    arguments = parser.parse_args(["heads", str(folder), str(folder / "none.tsv")])
    assert arguments.run(arguments) == 2
    assert capsys.readouterr().err.startswith("pellucid heads: ")
