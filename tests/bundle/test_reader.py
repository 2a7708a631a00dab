import io
from collections.abc import Callable
from pathlib import Path

import pytest
import sentencepiece

from bundle.errors import BundleError, InvalidBundleError
from bundle.manifest import MANIFEST_NAME, AlignmentHead, Manifest
from bundle.reader import open_verified, read_bundle, sha256_of
from bundle.tensors import REQUIRED_FILES
from tests.bundle.bundles import (
    TINY_BUNDLE,
    change_manifest,
    copy_of_tiny,
    faults_of,
    list_anew,
    read_manifest,
    write_manifest,
)

SIZE = read_manifest(TINY_BUNDLE)["architecture"]["vocab_size"]
REQUIRED_FIELDS = sorted(
    name for name, field in Manifest.model_fields.items() if field.is_required()
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return copy_of_tiny(tmp_path)


def replace_file(folder: Path, name: str, content: bytes) -> None:
    """Write a file and let the manifest vouch for it."""
    (folder / name).write_bytes(content)
    list_anew(folder, name)


def test_a_good_bundle_is_read() -> None:
    bundle = read_bundle(TINY_BUNDLE)
    assert bundle.manifest.precision == "int8"
    assert bundle.tokenizer.vocab_size == bundle.manifest.architecture.vocab_size
    assert bundle.sha256 == sha256_of(TINY_BUNDLE / MANIFEST_NAME)
    assert all(bundle.file(name).is_file() for name in REQUIRED_FILES)


def test_a_verified_bundle_opens_again_and_loads_its_tokenizer_when_asked() -> None:
    verified = read_bundle(TINY_BUNDLE)
    again = open_verified(TINY_BUNDLE, verified.sha256)
    assert (again.manifest, again.loaded) == (verified.manifest, [])
    assert again.tokenizer.vocab_size == verified.tokenizer.vocab_size
    assert again.tokenizer is again.tokenizer


def test_another_bundle_in_the_place_of_a_verified_one_is_refused(folder: Path) -> None:
    sha256 = read_bundle(folder).sha256
    change_manifest(folder, {"name": "another"})
    with pytest.raises(InvalidBundleError, match="replaced after it was verified"):
        open_verified(folder, sha256)


def test_the_committed_bundle_is_small_and_says_nothing_of_the_machine_it_was_made_on() -> None:
    assert sum(file.stat().st_size for file in TINY_BUNDLE.iterdir()) < 300_000
    for file in TINY_BUNDLE.iterdir():
        content = file.read_bytes()
        assert not any(place in content for place in (b"/home/", b"/root/", b"/tmp/"))


def test_the_digest_of_a_bundle_changes_with_any_of_its_files(folder: Path) -> None:
    replace_file(folder, "MODEL_CARD.md", b"# Another card\n")
    assert read_bundle(folder).sha256 != read_bundle(TINY_BUNDLE).sha256


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert faults_of(tmp_path / "nowhere") == ("there is no such folder",)


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert faults_of(tmp_path / "file") == ("there is no such folder",)


def test_a_folder_without_a_manifest_is_refused(folder: Path) -> None:
    (folder / MANIFEST_NAME).unlink()
    assert faults_of(folder) == ("manifest.json: No such file or directory",)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe{}", b"null", b'{"a": 1'])
def test_a_manifest_that_is_no_json_object_is_refused(folder: Path, content: bytes) -> None:
    (folder / MANIFEST_NAME).write_bytes(content)
    (fault,) = faults_of(folder)
    assert "manifest" in fault


@pytest.mark.parametrize("name", REQUIRED_FILES)
def test_a_missing_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert faults_of(folder) == (f"{name}: No such file or directory",)


@pytest.mark.parametrize("name", REQUIRED_FILES)
def test_a_file_that_the_manifest_does_not_know_is_refused(folder: Path, name: str) -> None:
    manifest = read_manifest(folder)
    del manifest["files"][name]
    write_manifest(folder, manifest)
    faults = faults_of(folder)
    assert f"{name}: not listed in the manifest" in faults
    assert f"{name}: in the folder, not in the manifest" in faults


@pytest.mark.parametrize("name", REQUIRED_FILES)
@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda content: content[:-1], "bytes, the manifest says"),
        (lambda content: content + b"\n", "bytes, the manifest says"),
        (lambda content: content[:-1] + bytes([content[-1] ^ 1]), "sha256 differs"),
        (lambda content: b"", "0 bytes, the manifest says"),
    ],
    ids=["truncated", "longer", "changed by a bit", "empty"],
)
def test_a_damaged_file_is_refused(
    folder: Path, name: str, damage: Callable[[bytes], bytes], fault: str
) -> None:
    (folder / name).write_bytes(damage((folder / name).read_bytes()))
    (found,) = faults_of(folder)
    assert found.startswith(f"{name}: ")
    assert fault in found


@pytest.mark.parametrize("name", ["notes.txt", "encoder.onnx.bak", ".DS_Store"])
def test_a_surplus_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"")
    assert faults_of(folder) == (f"{name}: in the folder, not in the manifest",)


def test_a_folder_in_place_of_a_file_is_refused(folder: Path) -> None:
    (folder / "weights.bin").unlink()
    (folder / "weights.bin").mkdir()
    (fault,) = faults_of(folder)
    assert fault.startswith("weights.bin: ")


@pytest.mark.parametrize("name", ["../weights.bin", "/etc/passwd", "a/b", "", ".", ".."])
def test_a_name_that_leads_out_of_the_folder_is_refused(folder: Path, name: str) -> None:
    manifest = read_manifest(folder)
    manifest["files"][name] = manifest["files"]["weights.bin"]
    write_manifest(folder, manifest)
    (fault,) = faults_of(folder)
    assert fault == f"{name}: a file's name may not contain a folder"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"format_version": 2}, "format_version"),
        ({"format_version": "1"}, "format_version"),
        ({"surprise": 1}, "surprise"),
        ({"architecture.surprise": 1}, "architecture.surprise"),
        ({"architecture.num_heads": 7}, "architecture"),
        ({"architecture.vocab_size": 0}, "architecture.vocab_size"),
        ({"architecture.d_model": "wide"}, "architecture.d_model"),
        ({"precision": "fp8"}, "precision"),
        ({"cache": "int4"}, "cache"),
        ({"pairs": []}, "pairs"),
        (
            {"pairs": [{"source": "English", "target": "de"}, {"source": "en", "target": "de"}]},
            "pairs.0.source",
        ),
        ({"name": ""}, "name"),
        ({"max_target_tokens": -1}, "max_target_tokens"),
        ({"max_target_tokens": 16_385}, "max_target_tokens"),
        ({"max_source_tokens": 1_000_000_000}, "max_source_tokens"),
        ({"architecture.num_encoder_layers": 1_025}, "architecture.num_encoder_layers"),
        ({"architecture.num_decoder_layers": 10**9}, "architecture.num_decoder_layers"),
        ({"special_ids.eos": -1}, "special_ids.eos"),
        ({"files": {"weights.bin": {"sha256": "0", "size_bytes": 1}}}, "files.weights.bin.sha256"),
        ({"decoding.length_penalty": -0.1}, "decoding.length_penalty"),
        ({"parity.token_agreement": 1.5}, "parity.token_agreement"),
    ],
)
def test_a_wrong_value_is_refused_by_name(
    folder: Path, changes: dict[str, object], named: str
) -> None:
    change_manifest(folder, changes)
    (fault,) = faults_of(folder)
    assert fault.startswith(f"manifest.json: {named}: ")


def test_another_format_says_what_to_do(folder: Path) -> None:
    change_manifest(folder, {"format_version": 2})
    (fault,) = faults_of(folder)
    assert "2 is not 1" in fault
    assert "export the bundle again" in fault


@pytest.mark.parametrize("field", REQUIRED_FIELDS)
def test_a_missing_field_is_refused_by_name(folder: Path, field: str) -> None:
    manifest = read_manifest(folder)
    del manifest[field]
    write_manifest(folder, manifest)
    assert faults_of(folder) == (f"manifest.json: {field}: Field required",)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"special_ids.pad": SIZE}, f"special_ids.pad: {SIZE} is outside the vocabulary of {SIZE}"),
        ({"decoding.beam_size": SIZE + 1}, f"decoding.beam_size: over the vocabulary of {SIZE}"),
        ({"pairs": [{"source": "en", "target": "de"}] * 2}, "pairs: en->de is there 2 times"),
        ({"canary.pair.target": "fr"}, "canary: en->fr is not a pair of this bundle"),
        ({"canary.target_ids": [5, SIZE]}, f"canary.target_ids: {SIZE} is outside the vocabulary"),
        (
            {"pairs": [{"source": "en", "target": "de", "source_prefix": ">>fr<<"}]},
            "tokenizer: no piece '>>fr<<', the prefix of en->de",
        ),
    ],
)
def test_values_that_do_not_fit_each_other_are_refused(
    folder: Path, changes: dict[str, object], fault: str
) -> None:
    change_manifest(folder, changes)
    (found,) = faults_of(folder)
    assert found.startswith(fault)


def test_a_target_tokenizer_of_its_own_is_read(folder: Path) -> None:
    replace_file(folder, "target.spm", small_tokenizer())
    (fault,) = faults_of(folder)
    assert fault.endswith(f"pieces, the graphs have {SIZE}")
    replace_file(folder, "target.spm", (folder / "source.spm").read_bytes())
    assert read_bundle(folder).tokenizer.vocab_size == SIZE


def test_a_prefix_that_the_tokenizer_knows_is_accepted(folder: Path) -> None:
    change_manifest(
        folder, {"pairs": [{"source": "en", "target": "de", "source_prefix": ">>de<<"}]}
    )
    change_manifest(folder, {"canary.pair.source_prefix": ">>de<<"})
    assert read_bundle(folder).manifest.pairs[0].source_prefix == ">>de<<"


def test_a_placeholder_that_is_no_piece_is_refused(folder: Path) -> None:
    change_manifest(folder, {"placeholders": ["⟦0⟧", "⟦x⟧"]})
    assert faults_of(folder) == ("tokenizer: no piece '⟦x⟧' on both sides, a placeholder",)
    change_manifest(folder, {"placeholders": ["⟦0⟧"]})
    assert read_bundle(folder).manifest.placeholders == ("⟦0⟧",)


def test_an_alignment_head_that_is_not_there_is_refused(folder: Path) -> None:
    change_manifest(folder, {"alignment_head": {"layer": 2, "head": 3}})
    assert faults_of(folder) == (
        "alignment_head.layer: 2 is not below 2",
        "alignment_head.head: 3 is not below 3",
    )
    change_manifest(folder, {"alignment_head": {"layer": 1, "head": 2}})
    assert read_bundle(folder).manifest.alignment_head == AlignmentHead(layer=1, head=2)


def test_a_tokenizer_of_another_size_is_refused(folder: Path) -> None:
    replace_file(folder, "source.spm", small_tokenizer())
    (fault,) = faults_of(folder)
    assert fault.startswith("tokenizer: ")
    assert fault.endswith(f"pieces, the graphs have {SIZE}")


@pytest.mark.parametrize("content", [b"", b"no model", b"\n\x05hello"])
def test_a_file_that_is_no_tokenizer_is_refused(folder: Path, content: bytes) -> None:
    replace_file(folder, "source.spm", content)
    (fault,) = faults_of(folder)
    assert fault.startswith("tokenizer: ")


def test_every_fault_is_reported_at_once(folder: Path) -> None:
    (folder / "encoder.onnx").unlink()
    (folder / "decoder.onnx").write_bytes(b"short")
    (folder / "notes.txt").write_bytes(b"")
    replace_file(folder, "source.spm", small_tokenizer())
    change_manifest(folder, {"special_ids.eos": 9999, "canary.pair.source": "fr"})
    faults = faults_of(folder)
    told = "\n".join(faults)
    for part in ("encoder.onnx: No", "decoder.onnx: 5 bytes", "notes.txt", "tokenizer: ", "eos"):
        assert part in told
    assert "canary: fr->de" in told
    assert len(faults) == 6


def test_every_fault_of_a_manifest_is_reported_at_once(folder: Path) -> None:
    change_manifest(folder, {"name": "", "format_version": 9, "colour": "red", "pairs": []})
    assert len(faults_of(folder)) == 4


def test_the_message_counts_the_faults(folder: Path) -> None:
    (folder / "encoder.onnx").unlink()
    with pytest.raises(BundleError, match="cannot be used, 1 fault: encoder"):
        read_bundle(folder)
    (folder / "decoder.onnx").unlink()
    with pytest.raises(BundleError, match="cannot be used, 2 faults: "):
        read_bundle(folder)


def small_tokenizer() -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a dog sees a cat"] * 5),
        model_writer=model,
        vocab_size=290,
        byte_fallback=True,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return model.getvalue()
