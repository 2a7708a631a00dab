"""`pellucid import`: one line and an exit code."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from bundle.reader import read_bundle
from export.importers.cli import register
from export.importers.kinds import READERS, reader_of
from tests.export.importers.marian.marian_models import save_model
from tests.export.wrong_files import ADVICE, WRONG_FILES

_DESCRIPTION = """\
weights = "model.pt"
num_heads = 2
tensors = { source_embedding = "source", target_embedding = "target" }
source = { cut = "words", pieces = ["<unk>", "<pad>", "<bos>", "<eos>", "word"] }
"""
_HF_CONFIG = {
    **dict.fromkeys(("pad_token_id", "eos_token_id", "decoder_start_token_id"), 0),
    **dict.fromkeys(("vocab_size", "d_model", "encoder_layers", "decoder_layers"), 2),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 1),
    **dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), 2),
}
_SENTENCEPIECE = {"source.spm": "", "target.spm": "", "vocab.json": "{}"}
_JOEYNMT = """\
data:
  src: {lang: en, level: word}
  trg: {lang: de, level: word}
model:
  encoder: &stack
    {type: transformer, layer_norm: pre, hidden_size: 64, num_heads: 2}
  decoder: *stack
"""
FILES: dict[str, tuple[str, dict[str, str]]] = {
    "ctranslate2": ("model.bin", {}),
    "fairseq": ("model.pt", {}),
    "firefox": ("model.ende.bin", {"vocab.ende.spm": ""}),
    "hf-marian": ("pytorch_model.bin", {"config.json": json.dumps(_HF_CONFIG), **_SENTENCEPIECE}),
    "joeynmt": (
        "best.ckpt",
        {"config.yaml": _JOEYNMT, "src_vocab.txt": "word\n", "trg_vocab.txt": "word\n"},
    ),
    "marian": ("model.npz", {}),
    "opennmt": ("model.pt", {}),
    "torch": ("model.pt", {"model.toml": _DESCRIPTION}),
}
"""The file of the weights of each kind, and what has to lie beside it."""


def _import(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers(required=True))
    parsed = parser.parse_args(["import", *map(str, arguments)])
    return int(parsed.run(parsed))


@pytest.mark.parametrize("kind", READERS)
def test_every_kind_on_the_command_line_has_a_reader(kind: str) -> None:
    assert reader_of(kind).__module__ == READERS[kind]


def test_a_checkpoint_becomes_a_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = save_model(tmp_path / "model"), tmp_path / "out"
    sizes = ["--max-source-tokens", 32, "--max-target-tokens", 24]
    languages = ["--source", "en", "--source", "fr", "--target", "de", "--name", "small"]
    assert _import("marian", path, out, *sizes, *languages) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{out}: 0.")
    assert "as ctranslate2 " in line or "with no other program" in line
    manifest = read_bundle(out).manifest
    assert [str(pair) for pair in manifest.pairs] == ["en->de", "fr->de"]
    assert (manifest.name, manifest.max_source_tokens) == ("small", 32)
    assert _import("marian", path, out, *sizes, *languages) == 2
    assert "use --force" in capsys.readouterr().err


def test_what_cannot_be_imported_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert _import("hf-marian", tmp_path / "nowhere", out) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"pellucid import: {tmp_path / 'nowhere'} is no folder: ")
    assert not out.exists()


def test_int8_without_sentences_asks_for_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save_model(tmp_path / "model")
    assert _import("marian", path, tmp_path / "out", "--precision", "int8") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "give --dev FILE" in line


def test_an_unknown_kind_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        _import("tensor2tensor", "x", "y")
    assert ended.value.code == 2
    assert "hf-marian" in capsys.readouterr().err


def test_a_repository_that_cannot_be_reached_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    assert _import("hf-marian", "nobody/no-such-model", tmp_path / "out") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "nobody/no-such-model does not exist and cannot be downloaded" in line


def test_the_command_line_is_parsed_without_heavy_libraries() -> None:
    code = (
        "import argparse, sys; from export.importers.cli import register; "
        "register(argparse.ArgumentParser().add_subparsers()); "
        "print({'torch', 'onnx', 'transformers'} & sys.modules.keys())"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"


@pytest.mark.parametrize("content", WRONG_FILES.values(), ids=WRONG_FILES)
@pytest.mark.parametrize("kind", FILES)
def test_a_wrong_file_is_one_line_without_advice_to_load_it_unsafely(
    kind: str, content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "model", tmp_path / "out"
    name, beside = FILES[kind]
    folder.mkdir()
    for file, text in beside.items():
        (folder / file).write_text(text, encoding="utf-8")
    (folder / name).write_bytes(content)
    assert _import(kind, folder, out, "--source", "en", "--target", "de") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"pellucid import: {folder / name}")
    assert not [word for word in ADVICE if word in line]
    assert not out.exists()
