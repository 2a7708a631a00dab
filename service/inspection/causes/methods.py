"""The methods by name: which passes each needs, and what joins their results."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bundle.reader import Bundle
from bundle.tensors import ALTI_NAME, VALUE_ZEROING_NAME
from service.engine.inspection import ATTENTION_KINDS, PairOutputs, WantedOutputs
from service.errors import InvalidRequestError
from service.inspection.causes.alti import alti
from service.inspection.causes.composition import Float32
from service.inspection.causes.occlusion import occlusion
from service.inspection.causes.rollout import rollout
from service.inspection.causes.value_zeroing import value_zeroing
from service.inspection.values import METHODS, Method

MAX_PASS_TOKENS = 256
"""Of both sides of a pair, times the rows of a pass: it stands between two steps of an engine."""
_OF_EVERY_PAIR = WantedOutputs(alignment=True, log_probs=True)
_MEAN_MAPS = WantedOutputs(kinds=ATTENTION_KINDS, reduce="heads", alignment=True, log_probs=True)

Lengths = tuple[int, int]
"""Source and target tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    passes: Callable[[Lengths], Iterator[WantedOutputs]]
    """The first one also gives alignment and log-probabilities."""
    join: Callable[[Sequence[PairOutputs], Lengths], tuple[Float32, Float32]]
    """Shares of source tokens and of the decoder's inputs, from the results of all passes."""
    graph: str | None = None
    """The file without which a bundle does not have the method."""


def passes_of(method: Method, lengths: Lengths) -> list[WantedOutputs]:
    """The passes over one pair, each of at most `MAX_PASS_TOKENS` or of one token taken away."""
    return list(_PLANS[method].passes(lengths))


def shares_of(
    method: Method, outputs: Sequence[PairOutputs], lengths: Lengths
) -> tuple[Float32, Float32]:
    """Shares of the source tokens, float32 [target, source], and of the decoder's inputs."""
    return _PLANS[method].join(outputs, lengths)


def check_method(method: Method, bundle: Bundle) -> None:
    """Rejects a method that a bundle does not have.

    Raises:
        InvalidRequestError: Lists those that it has.
    """
    if method not in METHODS:
        raise InvalidRequestError(f"Invalid request: method must be one of {', '.join(METHODS)}")
    if _has(method, bundle):
        return
    name, known = bundle.manifest.name, ", ".join(methods_of(bundle))
    if method == "alti" and bundle.manifest.architecture.decoder_cell == "ssru":
        raise InvalidRequestError(
            f"Invalid request: the model {name} has no graph for the method alti, because its "
            f"decoder is a recurrence, which adds up no value vectors; it has {known}"
        )
    raise InvalidRequestError(
        f"Invalid request: the model {name} has no graph for the method {method}; it has {known} "
        "(an older bundle gets it by `python -m export.renewal`)"
    )


def methods_of(bundle: Bundle) -> tuple[Method, ...]:
    """The methods that a bundle has, attention first."""
    return tuple(name for name in METHODS if _has(name, bundle))


def _has(method: Method, bundle: Bundle) -> bool:
    graph = _PLANS[method].graph if method in _PLANS else None
    return graph is None or bundle.has_file(graph)


def _one_pass(wanted: WantedOutputs) -> Callable[[Lengths], Iterator[WantedOutputs]]:
    return lambda _: iter([wanted])


def _alti_passes(_: Lengths) -> Iterator[WantedOutputs]:
    yield _OF_EVERY_PAIR
    yield WantedOutputs(cause="alti")


def _zeroing_passes(lengths: Lengths) -> Iterator[WantedOutputs]:
    yield _OF_EVERY_PAIR
    yield from (WantedOutputs(cause="value_zeroing", places=p) for p in _slices(lengths))


def _occlusion_passes(lengths: Lengths) -> Iterator[WantedOutputs]:
    yield _OF_EVERY_PAIR
    yield from (WantedOutputs(cause="occlusion", places=p) for p in _slices(lengths))


def _slices(lengths: Lengths) -> Iterator[tuple[int, int]]:
    """All places, as many at a time as a pass may have beside the row that lacks nothing."""
    num_places = sum(lengths)
    step = max(1, MAX_PASS_TOKENS // num_places - 1)
    return ((start, min(start + step, num_places)) for start in range(0, num_places, step))


def _join_rollout(outputs: Sequence[PairOutputs], _: Lengths) -> tuple[Float32, Float32]:
    return rollout(outputs[0].maps)


def _join_alti(outputs: Sequence[PairOutputs], _: Lengths) -> tuple[Float32, Float32]:
    encoder, decoder, cross = outputs[1].layers
    return alti(encoder, decoder, cross)


def _join_zeroing(outputs: Sequence[PairOutputs], _: Lengths) -> tuple[Float32, Float32]:
    encoder, decoder = zip(*(output.layers for output in outputs[1:]), strict=True)
    return value_zeroing(np.concatenate(encoder), np.concatenate(decoder))


def _join_occlusion(outputs: Sequence[PairOutputs], lengths: Lengths) -> tuple[Float32, Float32]:
    # Each pass has its own row that lacks nothing, computed in the same batch as the others.
    changes = [without - whole for whole, without in (o.layers for o in outputs[1:])]
    return occlusion(np.zeros(lengths[1], np.float32), np.concatenate(changes), lengths[0])


_PLANS: Mapping[Method, _Plan] = {
    "rollout": _Plan(passes=_one_pass(_MEAN_MAPS), join=_join_rollout),
    "value_zeroing": _Plan(passes=_zeroing_passes, join=_join_zeroing, graph=VALUE_ZEROING_NAME),
    "alti": _Plan(passes=_alti_passes, join=_join_alti, graph=ALTI_NAME),
    "occlusion": _Plan(passes=_occlusion_passes, join=_join_occlusion),
}
