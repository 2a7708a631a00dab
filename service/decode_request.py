"""What a request says about decoding, checked, with the bundle's defaults filled in."""

import math

from bundle.manifest import Manifest
from service.engine.options import MAX_BEAM_SIZE, DecodeOptions
from service.errors import InvalidRequestError
from service.translation import TranslateRequest


def decode_options(request: TranslateRequest, manifest: Manifest) -> DecodeOptions:
    """Options for every sentence of `request`.

    Alternatives come from the beam, so it is widened to hold them, as far as it may be. All its
    hypotheses are asked for then: two of them may spell the same text.

    Raises:
        InvalidRequestError: A value is out of its range.
    """
    _check(request)
    defaults = manifest.decoding
    beam_size = request.beam_size or defaults.beam_size
    if request.num_alternatives > 0:
        beam_size = max(beam_size, request.num_alternatives + 1)
    beam_size = min(beam_size, MAX_BEAM_SIZE)
    length_penalty = request.length_penalty
    return DecodeOptions(
        beam_size=beam_size,
        num_hypotheses=beam_size if request.num_alternatives > 0 else 1,
        length_penalty=defaults.length_penalty if length_penalty is None else length_penalty,
        max_target_tokens=min(
            request.max_target_tokens or manifest.max_target_tokens, manifest.max_target_tokens
        ),
        with_scores=request.with_scores,
    )


def _check(request: TranslateRequest) -> None:
    beam_size, penalty = request.beam_size, request.length_penalty
    if beam_size is not None and not 1 <= beam_size <= MAX_BEAM_SIZE:
        raise _out_of_range("beam_size", beam_size, f"from 1 to {MAX_BEAM_SIZE}")
    if penalty is not None and not (penalty >= 0 and math.isfinite(penalty)):
        raise _out_of_range("length_penalty", penalty, "a finite number, 0 or more")
    if request.max_target_tokens is not None and request.max_target_tokens < 1:
        raise _out_of_range("max_target_tokens", request.max_target_tokens, "1 or more")


def _out_of_range(field: str, value: float, valid: str) -> InvalidRequestError:
    return InvalidRequestError(f"Invalid request: {field} is {value}; it must be {valid}")
