"""Renews a bundle without its checkpoint: `python -m export.renewal`.

Bundles that were exported before the graph of beams (`beams.onnx`) or those of inspection
(`value_zeroing.onnx`, `alti.onnx`, `states.onnx`) existed lack them: they go on working, with
slower beam search or less to inspect. They are made from the bundle's own graphs. On demand the
shortlist goes, another beam becomes the default, confidence is calibrated on held-out text, and the
known words of the training text are collected. The weights stay as they are, byte for byte, and so
does what a search of the whole vocabulary finds.
"""

import argparse
import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from bundle.errors import BundleError
from bundle.manifest import MANIFEST_NAME, Doubt, Manifest
from bundle.reader import Bundle, read_bundle
from bundle.tensors import (
    ATTENTION_NAME,
    BEAMS_NAME,
    CANDIDATES_NAME,
    DECODER_NAME,
    KNOWN_WORDS_NAME,
    MODEL_CARD_NAME,
    NUM_PLACES,
    SHORTLIST_FILES,
)
from export.arguments import beam_size
from export.calibration.doubt import MIN_SENTENCES, calibrate_doubt
from export.errors import ExportError, VerificationError
from export.graphs.inspection.files import build_inspections, inspection_names
from export.graphs.rewriting.beams import build_beams, has_beams
from export.graphs.rewriting.whole_vocabulary import without_shortlist
from export.lexicon.known_words import TrainingText, write_known_words
from export.publication.model_card import FIDELITY_HEADING, doubt_section, quality_section
from export.publication.packing import file_entries, publish
from export.sentences.development_set import held_out
from model.config import parse_recorded_config
from model.errors import ModelError
from service.engine.graphs.sessions import open_sessions
from service.engine.offline import decode_batch
from service.engine.search.options import DecodeOptions, Hypothesis

NUM_VERIFIED = 32
"""Random sources on which the beams of both bundles are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewalOptions:
    """What becomes of a bundle beside getting the graphs that it lacks."""

    beam_size: int | None = None
    """Beam size of requests that name none; None: as it is."""
    without_shortlist: bool = False
    """Greedy search chooses from the whole vocabulary."""
    doubt_text: Path | None = None
    """Held-out text to calibrate confidence on: source and target of the first direction of the
    bundle, separated by a tab. None: doubt stays as it is."""
    data: Path | None = None
    """Folder of the text that the bundle's model was trained on, to collect known words from. None:
    they stay as they are."""


def renew(folder: Path, options: RenewalOptions | None = None) -> Manifest:
    """Replace the bundle in `folder` by one with all graphs that can be made of its own.

    Raises:
        BundleError: It is no valid bundle.
        ExportError: A graph cannot be made, or its beams differ; the bundle stays as it was.
    """
    folder, options = folder.absolute(), options or RenewalOptions()
    old = read_bundle(folder)
    with tempfile.TemporaryDirectory(prefix=".renewal-", dir=folder.parent) as work:
        staged = Path(shutil.copytree(folder, Path(work) / "renewed"))
        _rewrite(staged, _changed(old.manifest, options))
        renewed = read_bundle(staged)
        _verify(old, renewed)
        if options.doubt_text is not None:
            renewed = _with_doubt(renewed, options.doubt_text)
        if options.data is not None:
            renewed = _with_known_words(renewed, options.data)
        publish(staged, folder)
    return renewed.manifest


def _changed(manifest: Manifest, options: RenewalOptions) -> Manifest:
    changes: dict[str, object] = {}
    if options.beam_size is not None:
        decoding = manifest.decoding.model_copy(update={"beam_size": options.beam_size})
        changes["decoding"] = decoding
    if options.without_shortlist and manifest.shortlist is not None:
        changes["shortlist"] = None
        changes["quality"] = tuple(q for q in manifest.quality if not q.with_shortlist)
    return manifest.model_copy(update=changes)


def _rewrite(folder: Path, manifest: Manifest) -> None:
    """Make the files of a bundle those of a changed manifest, which is written with them."""
    old = read_bundle(folder).manifest
    names = {*_made_names(manifest), *old.files}
    if old.shortlist is not None and manifest.shortlist is None:
        _remove_shortlist(folder, old, manifest)
        names -= set(SHORTLIST_FILES)
    if has_beams(manifest.architecture):
        _write_beams(folder, manifest)
    _write_inspections(folder, manifest)
    files = file_entries(folder / name for name in names)
    _write_manifest(folder, manifest.model_copy(update={"files": files}))


def _with_doubt(bundle: Bundle, text: Path) -> Bundle:
    """The bundle with a calibration of its doubt, in manifest and card."""
    doubt = calibrate_doubt(open_sessions(bundle), held_out(bundle, text))
    if doubt is None:
        raise ExportError(
            f"{text} has too few sentences to calibrate doubt on: give {MIN_SENTENCES}, of which a "
            "quarter is translated well and a quarter is not"
        )
    old, card = bundle.manifest, bundle.file(MODEL_CARD_NAME)
    content = _described(card.read_text(encoding="utf-8"), old.doubt, doubt)
    card.write_text(content, encoding="utf-8")
    files = old.files | file_entries([card])
    _write_manifest(bundle.path, old.model_copy(update={"doubt": doubt, "files": files}))
    return read_bundle(bundle.path)


def _with_known_words(bundle: Bundle, data: Path) -> Bundle:
    """The bundle with the known words of the text that its manifest names."""
    old = bundle.manifest
    if old.provenance.foreign is not None:
        raise ExportError("an imported model has no training text to collect known words from")
    config = parse_recorded_config(old.provenance.training_config, where=str(bundle.path))
    entries = write_known_words(bundle.path, TrainingText(config=config.data, data=data))
    files = old.files | file_entries([bundle.file(KNOWN_WORDS_NAME)])
    _write_manifest(bundle.path, old.model_copy(update={"known_words": entries, "files": files}))
    return read_bundle(bundle.path)


def _described(card: str, old: Doubt | None, new: Doubt) -> str:
    """A model card with another section on doubt: in its place, or at the end."""
    section = doubt_section(new)
    if old is not None and doubt_section(old) in card:
        return card.replace(doubt_section(old), section)
    if FIDELITY_HEADING in card:
        return card.replace(FIDELITY_HEADING, f"{section}\n\n{FIDELITY_HEADING}", 1)
    return f"{card.rstrip()}\n\n{section}\n"


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    # Fields that an old bundle lacks stay out: a reader of its time refuses them.
    text = manifest.model_dump_json(indent=2, exclude_unset=True)
    (folder / MANIFEST_NAME).write_text(text + "\n", encoding="utf-8")


def _remove_shortlist(folder: Path, old: Manifest, new: Manifest) -> None:
    decoder = onnx.load(folder / DECODER_NAME, load_external_data=False)
    whole = without_shortlist(decoder, new.architecture, new.cache)
    (folder / DECODER_NAME).write_bytes(whole.SerializeToString())
    for name in SHORTLIST_FILES:
        (folder / name).unlink()
    card = folder / MODEL_CARD_NAME
    text = card.read_text(encoding="utf-8")
    card.write_text(text.replace(quality_section(old), quality_section(new)), encoding="utf-8")


def _write_beams(folder: Path, manifest: Manifest) -> None:
    decoder, candidates = (
        onnx.load(folder / name, load_external_data=False)
        for name in (DECODER_NAME, CANDIDATES_NAME)
    )
    beams = build_beams(decoder, candidates, manifest.architecture, manifest.cache)
    (folder / BEAMS_NAME).write_bytes(beams.SerializeToString())


def _made_names(manifest: Manifest) -> list[str]:
    """Files that are made from others."""
    beams = [BEAMS_NAME] if has_beams(manifest.architecture) else []
    return [*beams, *inspection_names(manifest.architecture)]


def _write_inspections(folder: Path, manifest: Manifest) -> None:
    attention = onnx.load(folder / ATTENTION_NAME, load_external_data=False)
    for name, graph in build_inspections(attention, manifest.architecture).items():
        (folder / name).write_bytes(graph.SerializeToString())


def _verify(old: Bundle, renewed: Bundle) -> None:
    random = np.random.default_rng(0)
    sources = [_random_source(random, old.manifest) for _ in range(NUM_VERIFIED)]
    for search, hypotheses in (("beam", _beams), ("greedy", _greedy)):
        if hypotheses(old, sources) != hypotheses(renewed, sources):
            raise VerificationError(f"{search} search finds other hypotheses than before")


def _random_source(random: np.random.Generator, manifest: Manifest) -> list[int]:
    shape = manifest.architecture
    ends = manifest.special_ids.ends_of_source
    length = int(random.integers(1, manifest.max_source_tokens - len(ends) + 1))
    pieces = random.integers(0, shape.source_vocab_size or shape.vocab_size, min(length, 40))
    return [*pieces.tolist(), *ends]


def _beams(bundle: Bundle, sources: list[list[int]]) -> list[tuple[Hypothesis, ...]]:
    """The best hypotheses of beam search."""
    options = DecodeOptions(
        beam_size=NUM_PLACES,
        num_hypotheses=NUM_PLACES,
        max_target_tokens=bundle.manifest.max_target_tokens,
    )
    return decode_batch(open_sessions(bundle), sources, options)


def _greedy(bundle: Bundle, sources: list[list[int]]) -> list[tuple[Hypothesis, ...]]:
    """Greedy hypotheses chosen from the whole vocabulary."""
    options = DecodeOptions(max_target_tokens=bundle.manifest.max_target_tokens)
    sessions = replace(open_sessions(bundle), uses_shortlist=False)
    return decode_batch(sessions, sources, options)


def main() -> int:
    """Renew; returns the exit code."""
    arguments = _parser().parse_args()
    options = RenewalOptions(
        beam_size=arguments.beam_size,
        without_shortlist=arguments.without_shortlist,
        doubt_text=arguments.doubt,
        data=arguments.known_words,
    )
    try:
        manifest = renew(arguments.bundle, options)
    except (BundleError, ExportError, ModelError, OSError) as error:
        sys.stderr.write(f"export.renewal: {error}\n")
        return 2
    for name in _made_names(manifest):
        size_bytes = manifest.files[name].size_bytes
        sys.stdout.write(f"{arguments.bundle}: {name}, {size_bytes} bytes\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m export.renewal", description=__doc__)
    parser.add_argument(
        "bundle", type=Path, help="folder of the bundle; no process may be loading it"
    )
    parser.add_argument(
        "--beam-size",
        type=beam_size,
        metavar="N",
        help="hypotheses kept where a request does not say: 4 for quality, 1 for speed",
    )
    parser.add_argument(
        "--without-shortlist",
        action="store_true",
        help="let greedy search choose from the whole vocabulary",
    )
    parser.add_argument(
        "--doubt",
        type=Path,
        metavar="TEXT",
        help="calibrate confidence on held-out text: source, tab, target of the bundle's first "
        "direction; .xz or not",
    )
    parser.add_argument(
        "--known-words",
        type=Path,
        metavar="DATA",
        help="folder of the text that the model was trained on: collect its words, so that names "
        "that are none of them are put back",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
