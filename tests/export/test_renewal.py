"""An old bundle gets the graph of beams, and nothing else of it changes."""

import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import onnx
import pytest

from bundle.errors import BundleError
from bundle.manifest import MANIFEST_NAME
from bundle.reader import read_bundle
from bundle.tensors import (
    BEAMS_NAME,
    CANDIDATES_NAME,
    INSPECTION_NAMES,
    KNOWN_WORDS_NAME,
    MODEL_CARD_NAME,
)
from export import renewal
from export.errors import ExportError, VerificationError
from export.graphs.rewriting.beams import build_beams
from export.renewal import RenewalOptions, renew
from model.errors import CorpusError
from tests.data.toy_language import sentence_pairs
from tests.export.networks import PLAIN_KINDS, network, open_graphs, random_transformer
from tests.service.tiny_models import TINY_BUNDLE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TINY_BUNDLE, tmp_path / "tiny"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_only_the_graph_and_its_entry_are_new(folder: Path) -> None:
    before, was = contents(folder), read_bundle(folder).manifest
    renew(folder)
    after, manifest = contents(folder), read_bundle(folder).manifest
    assert after.keys() - before.keys() == {BEAMS_NAME, *INSPECTION_NAMES}
    assert {name for name in before if after[name] != before[name]} == {MANIFEST_NAME}
    assert manifest.model_copy(update={"files": was.files}) == was
    assert {n: e for n, e in manifest.files.items() if n in before} == was.files
    # No field that the bundle did not have: a reader of its time would refuse it.
    assert json.loads(after[MANIFEST_NAME]).keys() == json.loads(before[MANIFEST_NAME]).keys()
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_renewing_twice_changes_nothing(folder: Path) -> None:
    renew(folder)
    once = contents(folder)
    renew(folder)
    assert contents(folder) == once


def test_the_graph_is_the_one_that_the_export_writes(tmp_path: Path) -> None:
    sessions = open_graphs(network(random_transformer()), None, tmp_path / "graphs")
    written = sessions.bundle.file(BEAMS_NAME).read_bytes()
    sessions.bundle.file(BEAMS_NAME).unlink()
    renewal._write_beams(sessions.bundle.path, sessions.bundle.manifest)
    assert sessions.bundle.file(BEAMS_NAME).read_bytes() == written


def test_plain_attention_gets_all_but_beams(folder: Path) -> None:
    kind = PLAIN_KINDS["additive scores"]
    manifest = json.loads((folder / MANIFEST_NAME).read_bytes())
    manifest["architecture"]["attention_operator"] = network(
        random_transformer(**kind)
    ).architecture.attention_operator
    (folder / MANIFEST_NAME).write_text(json.dumps(manifest), encoding="utf-8")
    before = contents(folder)
    renew(folder)
    assert contents(folder).keys() - before.keys() == set(INSPECTION_NAMES)


def test_a_graph_that_gives_other_hypotheses_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(folder)

    def shifted(*arguments: Any) -> onnx.ModelProto:  # noqa: ANN401 - those of `build_beams`
        graph = build_beams(*arguments)
        (norm,) = [n for n in graph.graph.node if n.op_type == "LogSoftmax"]
        norm.op_type = "Softmax"
        return graph

    monkeypatch.setattr(renewal, "build_beams", shifted)
    with pytest.raises(VerificationError, match="beam search finds other hypotheses"):
        renew(folder)
    assert contents(folder) == before


def test_a_damaged_bundle_is_refused_and_left_alone(folder: Path) -> None:
    (folder / CANDIDATES_NAME).write_bytes(b"no graph")
    before = contents(folder)
    with pytest.raises(BundleError):
        renew(folder)
    assert contents(folder) == before


@pytest.fixture
def data(folder: Path, tmp_path: Path) -> Path:
    """The folder of the text that the bundle's manifest names."""
    config = read_bundle(folder).manifest.provenance.training_config
    (name,) = tomllib.loads(config)["data"]["train"]
    lines = [f"{source}\t{target}\ttoy-language\n" for source, target in sentence_pairs(99, seed=3)]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_text("".join(lines), encoding="utf-8")
    return tmp_path / "data"


def test_known_words_are_collected_from_the_text_of_the_training(folder: Path, data: Path) -> None:
    before = contents(folder)
    manifest = renew(folder, RenewalOptions(data=data))
    after = contents(folder)
    assert after.keys() - before.keys() == {BEAMS_NAME, KNOWN_WORDS_NAME, *INSPECTION_NAMES}
    assert {name for name in before if after[name] != before[name]} == {MANIFEST_NAME}
    assert [entry.language for entry in manifest.known_words] == ["en", "de"]
    assert "haus" in read_bundle(folder).known_words["de"]


def test_known_words_need_the_text_and_a_model_of_ours(folder: Path, data: Path) -> None:
    before = contents(folder)
    with pytest.raises(CorpusError, match="cannot be read"):
        renew(folder, RenewalOptions(data=data / "elsewhere"))
    assert contents(folder) == before
    manifest = json.loads(before[MANIFEST_NAME])
    manifest["provenance"]["foreign"] = {"kind": "marian", "name": "Marian", "files": {}}
    (folder / MANIFEST_NAME).write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ExportError, match="imported"):
        renew(folder, RenewalOptions(data=data))


@pytest.fixture
def held_out(tmp_path: Path) -> Path:
    """Half of the references are right, half cannot be hit."""
    pairs = list(sentence_pairs(300, seed=3))
    right = [f"{source}\t{target}" for source, target in pairs[:150]]
    missed = [f"{source}\tetwas ganz anderes als das" for source, _ in pairs[150:]]
    text = tmp_path / "held-out.tsv"
    text.write_text("\n".join([*right, *missed]) + "\n", encoding="utf-8")
    return text


def test_doubt_is_calibrated_and_described_in_the_card(folder: Path, held_out: Path) -> None:
    before = contents(folder)
    manifest = renew(folder, RenewalOptions(doubt_text=held_out))
    after = contents(folder)
    assert {name for name in before if after[name] != before[name]} == {
        MANIFEST_NAME,
        MODEL_CARD_NAME,
    }
    assert manifest.doubt is not None and manifest.doubt.calibration is not None
    assert manifest.doubt.calibration.dataset == "held-out.tsv"
    assert "low_confidence" in json.loads(after[MANIFEST_NAME])["doubt"]
    card = after[MODEL_CARD_NAME].decode()
    assert card.count("## Doubt") == 1
    assert card.index("## Quality") < card.index("## Doubt") < card.index("## Fidelity")
    renew(folder, RenewalOptions(doubt_text=held_out))
    assert contents(folder) == after


def test_too_little_text_leaves_the_bundle_as_it_was(folder: Path, tmp_path: Path) -> None:
    text = tmp_path / "few.tsv"
    text.write_text("The dog sees the cat.\tDer Hund sieht die Katze.\n", encoding="utf-8")
    before = contents(folder)
    with pytest.raises(ExportError, match="too few sentences"):
        renew(folder, RenewalOptions(doubt_text=text))
    assert contents(folder) == before


def test_the_command_says_what_it_did_and_what_is_wrong(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["renewal", str(folder)])
    assert renewal.main() == 0
    said = capsys.readouterr().out.splitlines()
    names = (BEAMS_NAME, *INSPECTION_NAMES)
    assert [line.rpartition(",")[0] for line in said] == [f"{folder}: {name}" for name in names]
    monkeypatch.setattr("sys.argv", ["renewal", str(folder / "nowhere")])
    assert renewal.main() == 2
    assert "there is no such folder" in capsys.readouterr().err
