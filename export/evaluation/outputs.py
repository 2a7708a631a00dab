"""Translates sentences with the model of a bundle, without the service around it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from bundle.manifest import LanguagePair
from bundle.reader import Bundle, read_bundle
from export.evaluation.errors import EvaluationError
from service.engine.graphs.sessions import open_sessions
from service.engine.offline import decode_stream
from service.engine.search.options import MAX_BEAM_SIZE, DecodeOptions, Hypothesis
from service.engine.search.repetition import longest_repetition, max_loop_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Options of decoding; None: the bundle's default."""

    pair: str | None = None
    """Direction, as in `en-de`; needed where a bundle has several."""
    beam_size: int | None = None
    length_penalty: float | None = None
    num_threads: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The translation of one sentence."""

    text: str
    is_looping: bool = False
    """The output repeats more than the source does; the service would decode again."""
    is_cut_off: bool = False
    """The output reached the limit without an end token."""
    is_too_long: bool = False
    """The source has too many tokens for a translation."""

    @property
    def fault(self) -> str:
        """Name of its fault; empty if it has none."""
        if self.is_too_long:
            return "too-long"
        if not self.text.strip():
            return "empty"
        return "looping" if self.is_looping else "cut-off" if self.is_cut_off else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A bundle and its outputs, in the order of the sources."""

    name: str
    beam_size: int
    outputs: tuple[Output, ...]

    @property
    def texts(self) -> list[str]:
        """The translations."""
        return [output.text for output in self.outputs]


def translate_with(path: Path, sources: Sequence[str], search: Search) -> System:
    """Translate `sources` with the bundle in folder `path`.

    Raises:
        InvalidBundleError: The bundle cannot be used.
        EvaluationError: It does not translate the pair, or the search is out of range.
    """
    bundle = read_bundle(path)
    pair, options = _pair_of(bundle, search), _options(bundle, search)
    encoded = [tuple(bundle.tokenizer.encode_source(text, pair)) for text in sources]
    fitting = [i for i, ids in enumerate(encoded) if len(ids) <= bundle.manifest.max_source_tokens]
    outputs = [Output(text="", is_too_long=True)] * len(sources)
    stream = decode_stream(
        open_sessions(bundle, num_threads=search.num_threads),
        [encoded[i] for i in fitting],
        options,
    )
    name = f"{bundle.manifest.name}, beam {options.beam_size}"
    for index, hypotheses in tqdm(stream, total=len(fitting), desc=name, unit="sentence"):
        place = fitting[index]
        outputs[place] = _output(bundle, encoded[place], hypotheses[0])
    return System(name=str(path), beam_size=options.beam_size, outputs=tuple(outputs))


def _output(bundle: Bundle, source_ids: Sequence[int], hypothesis: Hypothesis) -> Output:
    ids = hypothesis.target_ids
    return Output(
        text=" ".join(bundle.tokenizer.decode_target(ids).split()),
        is_looping=bool(ids) and longest_repetition(ids) > max_loop_tokens(source_ids),
        is_cut_off=not hypothesis.has_ended,
    )


def _pair_of(bundle: Bundle, search: Search) -> LanguagePair:
    pairs = bundle.manifest.pairs
    if search.pair is None and len(pairs) == 1:
        return pairs[0]
    found = [p for p in pairs if f"{p.source}-{p.target}" == search.pair]
    if not found:
        offered = ", ".join(f"{p.source}-{p.target}" for p in pairs)
        raise EvaluationError(f"{bundle.path} translates {offered}: say which with --pair")
    return found[0]


def _options(bundle: Bundle, search: Search) -> DecodeOptions:
    defaults = bundle.manifest.decoding
    beam = defaults.beam_size if search.beam_size is None else search.beam_size
    penalty = defaults.length_penalty if search.length_penalty is None else search.length_penalty
    if not 1 <= beam <= MAX_BEAM_SIZE:
        raise EvaluationError(f"--beam-size is {beam}; it must be 1 to {MAX_BEAM_SIZE}")
    if not 0 <= penalty < math.inf:
        raise EvaluationError(f"--length-penalty is {penalty}; it must be finite and >= 0")
    return DecodeOptions(
        beam_size=beam,
        length_penalty=penalty,
        max_target_tokens=bundle.manifest.max_target_tokens,
        with_scores=False,
    )
