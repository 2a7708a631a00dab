"""Checks and counts the attention maps that a request selects."""

from collections.abc import Sequence

from bundle.manifest import Architecture
from bundle.reader import Bundle
from bundle.tensors import STATES_NAME
from service.engine.ablation import Head
from service.engine.inspection import ATTENTION_KINDS, AttentionKind, chosen_indices
from service.errors import InvalidRequestError, PayloadTooLargeError
from service.inspection.values import AttentionSelection


def check_selection(selection: AttentionSelection, architecture: Architecture) -> None:
    """Rejects kinds, layers and heads that the model does not have.

    Raises:
        InvalidRequestError: Lists those that exist.
    """
    unknown = [kind for kind in selection.kinds if kind not in ATTENTION_KINDS]
    if unknown or not selection.kinds:
        known = ", ".join(ATTENTION_KINDS)
        raise InvalidRequestError(f"Invalid request: kinds must be some of {known}")
    # Layers of states are those of the encoder.
    for kind in (*selection.kinds, *(("encoder",) if selection.states else ())):
        _check_indices("layers", selection.layers, num_layers(kind, architecture), kind)
        _check_indices("heads", selection.heads, architecture.num_heads, kind)


def check_states(selection: AttentionSelection, bundle: Bundle) -> None:
    """Rejects states that a bundle, or what else was selected, does not have.

    Raises:
        InvalidRequestError: Says what to ask for, or how the bundle gets them.
    """
    if not selection.states:
        return
    if selection.words or selection.method != "attention":
        raise InvalidRequestError(
            "Invalid request: states are of pieces and beside maps: leave out words and method"
        )
    if not bundle.has_file(STATES_NAME):
        raise InvalidRequestError(
            f"Invalid request: the model {bundle.manifest.name} has no graph of states "
            "(`python -m export.renewal` adds it)"
        )


def check_heads(heads: Sequence[Head], architecture: Architecture) -> None:
    """Rejects heads that the model does not have.

    Raises:
        InvalidRequestError: Lists those that exist.
    """
    for head in heads:
        if head.kind == "decoder" and architecture.decoder_cell != "self_attention":
            raise InvalidRequestError(
                "Invalid request: the decoder of this model is a recurrence, which has no heads"
            )
        _check_indices("layers", (head.layer,), num_layers(head.kind, architecture), head.kind)
        _check_indices("heads", (head.head,), architecture.num_heads, head.kind)


def num_layers(kind: AttentionKind, architecture: Architecture) -> int:
    """Number of layers with maps of this kind."""
    if kind == "encoder":
        return architecture.num_encoder_layers
    return architecture.num_decoder_layers


def check_cells(
    lengths: Sequence[tuple[int, int]],
    selection: AttentionSelection,
    architecture: Architecture,
    max_cells: int,
) -> None:
    """Rejects a reply that would be too large.

    Args:
        lengths: Source and target tokens of every pair.
        selection: The maps of each pair.
        architecture: Of the model.
        max_cells: Most cells that a reply may have.

    Raises:
        PayloadTooLargeError: Names a selection that fits.
    """
    if selection.method != "attention":
        _check_contributions(lengths, max_cells)
        return
    cells = 0
    for kind in selection.kinds:
        layers, heads = _reduced_axes(kind, selection, architecture)
        cells += layers * heads * _cells_per_map(kind, lengths)
    if selection.states:
        cells += sum(source for source, _ in lengths) * _states_of_token(selection, architecture)
    if cells > max_cells:
        remedy = _remedy(lengths, selection, architecture, max_cells)
        raise PayloadTooLargeError(
            f"the attention maps have {cells:,} numbers; the limit is {max_cells:,}: {remedy}"
        )


def _check_contributions(lengths: Sequence[tuple[int, int]], max_cells: int) -> None:
    cells = sum(target * (source + target) for source, target in lengths)
    if cells > max_cells:
        raise PayloadTooLargeError(
            f"the contributions have {cells:,} numbers; the limit is {max_cells:,}: send shorter "
            "or fewer texts"
        )


def _states_of_token(selection: AttentionSelection, architecture: Architecture) -> int:
    """Numbers of the states of one token."""
    layers = len(chosen_indices(selection.layers, architecture.num_encoder_layers))
    heads = len(chosen_indices(selection.heads, architecture.num_heads))
    by_layer = heads * 3 * architecture.head_dim + architecture.d_ff
    return layers * by_layer + 1 + 2 * architecture.num_encoder_layers


def _check_indices(
    name: str, indices: tuple[int, ...] | None, count: int, kind: AttentionKind
) -> None:
    if indices is None:
        return
    wrong = [index for index in indices if not 0 <= index < count]
    if wrong or not indices:
        problem = f"{name[:-1]} {wrong[0]} does not exist" if wrong else f"{name} is empty"
        valid = ", ".join(str(index) for index in range(count))
        raise InvalidRequestError(f"Invalid request: {problem}; {kind} {name} are {valid}")


def _reduced_axes(
    kind: AttentionKind, selection: AttentionSelection, architecture: Architecture
) -> tuple[int, int]:
    layers = len(chosen_indices(selection.layers, num_layers(kind, architecture)))
    heads = len(chosen_indices(selection.heads, architecture.num_heads))
    return (
        1 if selection.reduce == "all" else layers,
        1 if selection.reduce in ("heads", "all") else heads,
    )


def _cells_per_map(kind: AttentionKind, lengths: Sequence[tuple[int, int]]) -> int:
    if kind == "encoder":
        return sum(source * source for source, _ in lengths)
    if kind == "decoder":
        return sum(target * target for _, target in lengths)
    return sum(source * target for source, target in lengths)


def _remedy(
    lengths: Sequence[tuple[int, int]],
    selection: AttentionSelection,
    architecture: Architecture,
    max_cells: int,
) -> str:
    """The largest selection of the last layer that fits, as request fields."""
    if selection.states:
        return "leave out states, or ask for fewer layers and heads, or for a shorter text"
    per_map = sum(_cells_per_map(kind, lengths) for kind in selection.kinds)
    heads = list(chosen_indices(selection.heads, architecture.num_heads))[: max_cells // per_map]
    if not heads:
        return "even one head of one layer has too many: send shorter or fewer texts"
    layers = min(num_layers(kind, architecture) for kind in selection.kinds)
    last = selection.layers[-1] if selection.layers else layers - 1
    # A mean of fewer heads is another mean and has as many cells.
    fewer = "" if selection.reduce == "heads" else f', "heads": {heads}'
    return f'ask for "layers": [{last}]{fewer}, or for fewer kinds or a shorter text'
