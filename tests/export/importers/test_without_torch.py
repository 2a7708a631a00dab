"""Kinds whose checkpoints are no pickles are imported where torch is not installed."""

import subprocess
import sys
from pathlib import Path

import pytest

from bundle.manifest import Manifest
from bundle.reader import read_bundle
from tests.export.importers.ct2 import ct2_models
from tests.export.importers.firefox import firefox_models
from tests.export.importers.marian import marian_models

REPOSITORY = Path(__file__).parents[3]
COMMAND = """
import importlib.abc, sys

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "sacrebleu", "ctranslate2", "transformers"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name.partition(".")[0])

sys.meta_path.insert(0, Missing())
from service.cli.main import main
sys.argv = ["pellucid", *sys.argv[1:]]
sys.exit(main())
"""
"""`pellucid` in a process that cannot import torch, whether or not it is installed."""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", COMMAND, *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def imported(kind: str, path: Path, out: Path, *options: str) -> Manifest:
    languages = ("--source", "en", "--target", "de")
    limits = ("--max-source-tokens", "40", "--max-target-tokens", "24")
    ended = run("import", kind, str(path), str(out), *languages, *limits, *options)
    assert ended.returncode == 0, ended.stderr
    manifest = read_bundle(out).manifest
    assert manifest.parity.identical_sentences == manifest.parity.sentences >= 20
    return manifest


def test_firefox(tmp_path: Path) -> None:
    path = firefox_models.save_model(tmp_path / "model")
    assert imported("firefox", path, tmp_path / "out").precision == "int8"


@pytest.mark.parametrize("activation", ["swish", "gelu"])
def test_marian(activation: str, tmp_path: Path) -> None:
    path = marian_models.save_model(tmp_path / "model", transformer_ffn_activation=activation)
    assert imported("marian", path, tmp_path / "out").parity.original is None


@pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses:UserWarning")
@pytest.mark.filterwarnings("ignore:Moving the following attributes:UserWarning")
def test_hf_marian(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    from tests.export.importers.hf_marian import hf_models

    path = hf_models.save_model(tmp_path / "model")
    assert (path / "model.safetensors").is_file()
    assert imported("hf-marian", path, tmp_path / "out").architecture.decoder_cell != "ssru"


def test_ctranslate2(tmp_path: Path) -> None:
    path = ct2_models.save_model(tmp_path / "model")
    assert imported("ctranslate2", path, tmp_path / "out").parity.original is None


def test_a_development_set_takes_sacrebleu(tmp_path: Path) -> None:
    path = firefox_models.save_model(tmp_path / "model")
    dev = tmp_path / "dev.tsv"
    dev.write_text("The dog\tDer Hund\n", encoding="utf-8")
    ended = run("import", "firefox", str(path), str(tmp_path / "out"), "--dev", str(dev))
    assert ended.returncode == 2
    assert "--dev measures with sacrebleu: pip install sacrebleu" in ended.stderr


@pytest.mark.parametrize("kind", ["joeynmt", "torch"])
def test_other_kinds_say_in_one_line_what_they_take(kind: str, tmp_path: Path) -> None:
    ended = run("import", kind, str(tmp_path), str(tmp_path / "out"))
    assert ended.returncode == 2
    assert ended.stderr == (
        f"pellucid import: models of the kind {kind} take torch: in a checkout, "
        "pip install '.[train,import]'\n"
    )


def test_a_pickle_says_so_too(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(b"x")
    ended = run("import", "opennmt", str(tmp_path), str(tmp_path / "out"))
    assert ended.returncode == 2
    assert "is a pickle, which takes torch" in ended.stderr
    assert ended.stderr.count("\n") == 1
