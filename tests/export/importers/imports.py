"""Checks that every kind of import has to pass, with a small model."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bundle.manifest import Manifest
from bundle.provenance import ForeignOrigin
from bundle.reader import read_bundle
from export.errors import ExportError
from export.importers.imported_model import Reader
from export.importers.importer import import_bundle
from export.importers.options import ImportOptions


def small_import(kind: str, path: Path, out: Path, **more: Any) -> ImportOptions:  # noqa: ANN401
    """Options for a small model of a kind, from English to German by default."""
    options = ImportOptions(
        out=out,
        kind=kind,
        path=path,
        sources=("en",),
        targets=("de",),
        max_source_tokens=40,
        max_target_tokens=24,
    )
    return replace(options, **more)


def imported(options: ImportOptions, *, files: set[str], config: str) -> Manifest:
    """The manifest of an import, whose origin is checked.

    Args:
        options: What is imported.
        files: Some of the files that it has to name.
        config: A part of the checkpoint's configuration that it has to hold.
    """
    manifest = import_bundle(options)
    assert read_bundle(options.out).manifest == manifest
    assert files <= origin(manifest).files.keys()
    assert config in manifest.provenance.training_config
    return manifest


def origin(manifest: Manifest) -> ForeignOrigin:
    """Where an imported model comes from."""
    assert manifest.provenance.foreign is not None
    return manifest.provenance.foreign


def ctranslate2_version() -> str:
    """As a report names it; skips where it is not installed."""
    ctranslate2 = pytest.importorskip("ctranslate2", reason="ctranslate2 is not installed")
    return f"ctranslate2 {ctranslate2.__version__}"


def assert_agrees(manifest: Manifest, implementation: str, *, min_beams: int = 5) -> None:
    """Check the report of the comparison, and that there was something to compare."""
    found = manifest.parity.original
    assert found is not None
    assert found.implementation == implementation
    assert found.identical_sentences == found.sentences >= 20
    assert found.identical_beams == found.beams >= min_beams
    assert 0 < found.max_logit_error <= 1e-4
    assert 0 < found.max_score_error <= 1e-4


def assert_cut_short_is_refused(options: ImportOptions, file: str) -> None:
    """Cut a third off one of the model's files: it has to be named, and nothing written."""
    cut = options.path / file
    content = cut.read_bytes()
    cut.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(ExportError, match=f"{file}.*cut short"):
        import_bundle(options)
    assert not options.out.exists()


def assert_asks_for_languages(read: Reader, options: ImportOptions) -> None:
    """A model without languages refuses an import without `--source` and `--target`."""
    with pytest.raises(ExportError, match=r"--source says which.*; --target says which"):
        read(replace(options, sources=(), targets=()))
