"""Decoding options of a request, checked and completed with the bundle's defaults."""

import math
from dataclasses import replace

from bundle.manifest import Manifest
from service.engine.search.options import MAX_BEAM_SIZE, DecodeOptions
from service.engine.search.repetition import max_loop_tokens
from service.errors import InvalidRequestError
from service.translation.values import TranslateRequest

DEFAULT_LENGTH_FACTOR = 3.0
"""Most output tokens for each source token. With the spare tokens, none of 120,000 random
English-German training pairs is longer in either direction: longer output does not end."""
DEFAULT_MIN_TARGET_TOKENS = 1
"""Empty output is never a translation, yet often the likeliest single output."""
SPARE_TARGET_TOKENS = 16
"""Added to the factor: a single word may have many pieces."""


def decode_options(request: TranslateRequest, manifest: Manifest) -> DecodeOptions:
    """Options for every sentence of `request`.

    Alternatives come from the beam, which is widened to hold them up to its limit. All its
    hypotheses are returned then, because two may spell the same text. Behind a prefix alternatives
    come from branches: see `service.translation.sentences.decoding`.

    Raises:
        InvalidRequestError: A value is out of its range.
    """
    longest = min(
        request.max_target_tokens or manifest.max_target_tokens, manifest.max_target_tokens
    )
    _check(request, longest)
    defaults = manifest.decoding
    beam_size = request.beam_size or defaults.beam_size
    from_beam = request.num_alternatives > 0 and request.prefixes is None
    if from_beam:
        beam_size = max(beam_size, request.num_alternatives + 1)
    beam_size = min(beam_size, MAX_BEAM_SIZE)
    length_penalty = request.length_penalty
    return DecodeOptions(
        beam_size=beam_size,
        num_hypotheses=beam_size if from_beam else 1,
        length_penalty=defaults.length_penalty if length_penalty is None else length_penalty,
        max_target_tokens=longest,
        min_target_tokens=_min_target_tokens(request, longest),
        no_repeat_ngram=request.no_repeat_ngram_size,
        with_scores=request.with_scores,
        with_trace=request.with_search,
    )


def sentence_options(
    options: DecodeOptions,
    source_ids: tuple[int, ...],
    max_length_factor: float | None,
    prefix_ids: tuple[int, ...] = (),
) -> DecodeOptions:
    """The options of one sentence, with its output bounded by the length of its source.

    Raises:
        InvalidRequestError: The prefix is as long as the output may be.
    """
    longest = options.max_target_tokens
    if len(prefix_ids) >= longest:
        raise InvalidRequestError(
            f"Invalid request: prefix has {len(prefix_ids)} tokens; it must be shorter than "
            f"max_target_tokens, {longest}"
        )
    factor = DEFAULT_LENGTH_FACTOR if max_length_factor is None else max_length_factor
    expected = math.ceil(factor * len(source_ids)) + SPARE_TARGET_TOKENS
    needed = max(len(prefix_ids), options.min_target_tokens) + 1
    return replace(
        options,
        max_target_tokens=min(longest, max(expected, needed)),
        max_loop_tokens=max_loop_tokens(source_ids),
        prefix_ids=prefix_ids,
    )


def _min_target_tokens(request: TranslateRequest, longest: int) -> int:
    if request.min_target_tokens is not None:
        return request.min_target_tokens
    return min(DEFAULT_MIN_TARGET_TOKENS, longest - 1)


def _check(request: TranslateRequest, longest: int) -> None:
    beam_size, penalty = request.beam_size, request.length_penalty
    if beam_size is not None and not 1 <= beam_size <= MAX_BEAM_SIZE:
        raise _out_of_range("beam_size", beam_size, f"from 1 to {MAX_BEAM_SIZE}")
    if penalty is not None and not (penalty >= 0 and math.isfinite(penalty)):
        raise _out_of_range("length_penalty", penalty, "a finite number, 0 or more")
    if request.max_target_tokens is not None and request.max_target_tokens < 1:
        raise _out_of_range("max_target_tokens", request.max_target_tokens, "1 or more")
    factor = request.max_length_factor
    if factor is not None and not (factor > 0 and math.isfinite(factor)):
        raise _out_of_range("max_length_factor", factor, "a finite number above 0")
    shortest = request.min_target_tokens
    if shortest is not None and not 0 <= shortest < longest:
        raise _out_of_range("min_target_tokens", shortest, f"below max_target_tokens, {longest}")
    if request.no_repeat_ngram_size < 0:
        raise _out_of_range("no_repeat_ngram_size", request.no_repeat_ngram_size, "0 or more")


def _out_of_range(field: str, value: float, valid: str) -> InvalidRequestError:
    return InvalidRequestError(f"Invalid request: {field} is {value}; it must be {valid}")
