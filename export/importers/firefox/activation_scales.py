"""The activation scales of a Firefox model, which its file holds: no development set is needed."""

from collections.abc import Mapping, Sequence

from export.importers.files.marian_binary import INTGEMM8, MarianItem
from export.quantization import ActivationPlan, Grid, StoredMatrix

SUFFIX = "_QuantMultA"
OUTPUT_NAMES = ("none", "Wemb", "decoder_Wemb")
"""What the scale of the output projection may be called: with a shortlist, and without."""


def activation_plan(
    items: Mapping[str, MarianItem],
    readers: Mapping[str, Sequence[str]],
    names: Mapping[str, str],
) -> ActivationPlan:
    """The grid of every activation.

    Matrices that read the same activation share its grid. Where their scales differ, each has a
    grid of its own. A matrix without a scale has its input scaled row by row.

    Args:
        items: Content of the file.
        readers: Tensor in the activation plan -> the layers that read it.
        names: Layer -> Marian's name of its matrix.
    """
    static: dict[str, Grid] = {}
    per_row: set[str] = set()
    for tensor, layers in readers.items():
        grids = {layer: _grid(items, names[layer]) for layer in layers}
        together = {tensor: next(iter(grids.values()))}
        for name, grid in (together if len(set(grids.values())) == 1 else grids).items():
            if grid is None:
                per_row.add(name)
            else:
                static[name] = grid
    return ActivationPlan(static=static, per_row=frozenset(per_row), is_stored=True)


def output_scale(items: Mapping[str, MarianItem]) -> str:
    """Name of the matrix that the output projection's scale is stored for."""
    return next((name for name in OUTPUT_NAMES if name + SUFFIX in items), OUTPUT_NAMES[0])


def tensor_readers(num_encoder_layers: int, num_decoder_layers: int) -> dict[str, list[str]]:
    """The layers that read each tensor of the graphs, by the names of the activation plan."""
    readers: dict[str, list[str]] = {}
    for i in range(num_encoder_layers):
        name = f"encoder.layers.{i}.self_attention"
        readers[f"{name}.inputs"] = [f"{name}.{part}" for part in ("query", "key", "value")]
        readers |= _alone(f"{name}.output", f"encoder.layers.{i}")
    crosses = [f"decoder.layers.{i}.cross_attention" for i in range(num_decoder_layers)]
    for i, cross in enumerate(crosses):
        name = f"decoder.layers.{i}.recurrence"
        readers[f"{name}.inputs"] = [f"{name}.forget", f"{name}.input"]
        readers[f"{cross}.query"] = [f"{cross}.query"]
        readers |= _alone(f"{cross}.output", f"decoder.layers.{i}")
    readers["encoder.memory"] = [f"{n}.{part}" for n in crosses for part in ("key", "value")]
    return readers


def _alone(output: str, layer: str) -> dict[str, list[str]]:
    names = (output, f"{layer}.feed_forward.inner", f"{layer}.feed_forward.outer")
    return {name: [name] for name in names}


def stored_matrices(
    items: Mapping[str, MarianItem], names: Mapping[str, str]
) -> dict[str, StoredMatrix]:
    """The int8 matrices of layers, by the names of their weights."""
    return {
        f"{layer}.weight": items[name].stored(is_transposed=True)
        for layer, name in names.items()
        if name in items and items[name].kind == INTGEMM8
    }


def _grid(items: Mapping[str, MarianItem], name: str) -> Grid | None:
    item = items.get(name + SUFFIX)
    if item is None:
        return None
    alpha = float(item.weights.ravel()[0])
    return Grid(scale=1 / alpha, zero_point=128, is_symmetric=True) if alpha > 0 else None
