"""Gives a bundle the graph of beams (`beams.onnx`) made from its own: `python -m export.renewal`.

Bundles that were exported before that graph existed lack it: they go on working, with slower beam
search. The weights stay as they are, byte for byte, and so do the translations.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx

from bundle.errors import BundleError
from bundle.manifest import MANIFEST_NAME, Manifest
from bundle.reader import Bundle, read_bundle
from bundle.tensors import BEAMS_NAME, CANDIDATES_NAME, DECODER_NAME, NUM_PLACES
from export.errors import ExportError, VerificationError
from export.graphs.beams import build_beams, has_beams
from export.packing import file_entries, publish
from service.engine.graphs.sessions import open_sessions
from service.engine.offline import decode_batch
from service.engine.search.options import DecodeOptions, Hypothesis

NUM_VERIFIED = 32
"""Random sources on which the beams of both bundles are compared."""


def renew(folder: Path) -> Manifest:
    """Replace the bundle in `folder` by one with the graph of beams.

    Raises:
        BundleError: It is no valid bundle.
        ExportError: The graph cannot be made, or its beams differ; the bundle stays as it was.
    """
    folder = folder.absolute()
    old = read_bundle(folder)
    if not has_beams(old.manifest.architecture):
        raise ExportError(f"{folder}: the graph of beams needs the fused attention, this has plain")
    with tempfile.TemporaryDirectory(prefix=".renewal-", dir=folder.parent) as work:
        staged = Path(shutil.copytree(folder, Path(work) / "renewed"))
        _add_beams(staged, old.manifest)
        renewed = read_bundle(staged)
        _verify(old, renewed)
        publish(staged, folder)
    return renewed.manifest


def _add_beams(folder: Path, manifest: Manifest) -> None:
    decoder, candidates = (
        onnx.load(folder / name, load_external_data=False)
        for name in (DECODER_NAME, CANDIDATES_NAME)
    )
    beams = build_beams(decoder, candidates, manifest.architecture, manifest.cache)
    path = folder / BEAMS_NAME
    path.write_bytes(beams.SerializeToString())
    files = {**manifest.files, **file_entries([path])}
    renewed = manifest.model_copy(update={"files": dict(sorted(files.items()))})
    # Fields that an old bundle lacks stay out: a reader of its time refuses them.
    text = renewed.model_dump_json(indent=2, exclude_unset=True)
    (folder / MANIFEST_NAME).write_text(text + "\n", encoding="utf-8")


def _verify(old: Bundle, renewed: Bundle) -> None:
    random = np.random.default_rng(0)
    sources = [_random_source(random, old.manifest) for _ in range(NUM_VERIFIED)]
    if _beams(old, sources) != _beams(renewed, sources):
        raise VerificationError("the graph of beams gives other hypotheses than the decoder's")


def _random_source(random: np.random.Generator, manifest: Manifest) -> list[int]:
    shape = manifest.architecture
    ends = manifest.special_ids.ends_of_source
    length = int(random.integers(1, manifest.max_source_tokens - len(ends) + 1))
    pieces = random.integers(0, shape.source_vocab_size or shape.vocab_size, min(length, 40))
    return [*pieces.tolist(), *ends]


def _beams(bundle: Bundle, sources: list[list[int]]) -> list[tuple[Hypothesis, ...]]:
    options = DecodeOptions(
        beam_size=NUM_PLACES,
        num_hypotheses=NUM_PLACES,
        max_target_tokens=bundle.manifest.max_target_tokens,
    )
    return decode_batch(open_sessions(bundle), sources, options)


def main() -> int:
    """Renew; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m export.renewal", description=__doc__)
    parser.add_argument("bundle", type=Path, help="its folder, which no process is loading")
    arguments = parser.parse_args()
    try:
        manifest = renew(arguments.bundle)
    except (BundleError, ExportError, OSError) as error:
        sys.stderr.write(f"export.renewal: {error}\n")
        return 2
    size_bytes = manifest.files[BEAMS_NAME].size_bytes
    sys.stdout.write(f"{arguments.bundle}: {BEAMS_NAME}, {size_bytes} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
