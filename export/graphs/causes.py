"""The graphs of causes, by file name: those that the network of a bundle can have."""

import onnx

from bundle.manifest import Architecture
from bundle.tensors import ALTI_NAME, VALUE_ZEROING_NAME
from export.graphs.alti import build_alti, has_alti
from export.graphs.value_zeroing import build_value_zeroing


def cause_names(architecture: Architecture) -> list[str]:
    """Names of the files."""
    return [VALUE_ZEROING_NAME, ALTI_NAME] if has_alti(architecture) else [VALUE_ZEROING_NAME]


def build_causes(
    attention: onnx.ModelProto, architecture: Architecture
) -> dict[str, onnx.ModelProto]:
    """Make the graphs of causes of a stored `attention.onnx`."""
    graphs = {VALUE_ZEROING_NAME: build_value_zeroing(attention, architecture)}
    if has_alti(architecture):
        graphs[ALTI_NAME] = build_alti(attention, architecture)
    return graphs
