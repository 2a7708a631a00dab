"""Copies of the tiny bundle, and ways to damage them."""

import json
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import InvalidBundleError
from bundle.known_words import make_filter
from bundle.manifest import MANIFEST_NAME
from bundle.reader import read_bundle, sha256_of
from bundle.tensors import KNOWN_WORDS_NAME

TINY_BUNDLE = Path(__file__).parents[1] / "data" / "tiny-bundle"


def copy_of_tiny(folder: Path) -> Path:
    """A bundle of one's own, in `folder`."""
    return Path(shutil.copytree(TINY_BUNDLE, folder / "tiny"))


def read_manifest(bundle: Path) -> dict[str, Any]:
    """The manifest as plain JSON."""
    content: dict[str, Any] = json.loads((bundle / MANIFEST_NAME).read_bytes())
    return content


def write_manifest(bundle: Path, content: dict[str, Any]) -> None:
    """Replace the manifest."""
    (bundle / MANIFEST_NAME).write_text(json.dumps(content), encoding="utf-8")


def change_manifest(bundle: Path, changes: Mapping[str, object]) -> None:
    """Set values by dotted paths, such as `architecture.d_model`."""
    content = read_manifest(bundle)
    for path, value in changes.items():
        *parents, name = path.split(".")
        section = content
        for parent in parents:
            section = section[parent]
        section[name] = value
    write_manifest(bundle, content)


def list_anew(bundle: Path, name: str) -> None:
    """Let the manifest say what file `name` is now."""
    content = read_manifest(bundle)
    path = bundle / name
    content["files"][name] = {"sha256": sha256_of(path), "size_bytes": path.stat().st_size}
    write_manifest(bundle, content)


def know_words(bundle: Path, **words: Collection[str]) -> Path:
    """Let a bundle know some words of its languages; returns its folder."""
    filters = {language: make_filter(known) for language, known in words.items()}
    content = b"".join(each.bits for each in filters.values())
    (bundle / KNOWN_WORDS_NAME).write_bytes(content)
    list_anew(bundle, KNOWN_WORDS_NAME)
    entries = [
        {
            "language": language,
            "words": len(words[language]),
            "size_bytes": len(each.bits),
            "num_hashes": each.num_hashes,
        }
        for language, each in filters.items()
    ]
    change_manifest(bundle, {"known_words": entries})
    return bundle


def faults_of(bundle: Path) -> tuple[str, ...]:
    """Why a bundle is refused."""
    with pytest.raises(InvalidBundleError) as refused:
        read_bundle(bundle)
    assert str(bundle) in str(refused.value)
    return refused.value.faults
