"""The graphs made from `attention.onnx`, by file name: those that the network can have."""

import onnx

from bundle.manifest import Architecture
from bundle.tensors import ALTI_NAME, STATES_NAME, VALUE_ZEROING_NAME
from export.graphs.inspection.alti import build_alti, has_alti
from export.graphs.inspection.states import build_states
from export.graphs.inspection.value_zeroing import build_value_zeroing


def inspection_names(architecture: Architecture) -> list[str]:
    """Names of the files."""
    alti = [ALTI_NAME] if has_alti(architecture) else []
    return [VALUE_ZEROING_NAME, *alti, STATES_NAME]


def build_inspections(
    attention: onnx.ModelProto, architecture: Architecture
) -> dict[str, onnx.ModelProto]:
    """Make the graphs of causes and of states of a stored `attention.onnx`."""
    graphs = {
        VALUE_ZEROING_NAME: build_value_zeroing(attention, architecture),
        STATES_NAME: build_states(attention, architecture),
    }
    if has_alti(architecture):
        graphs[ALTI_NAME] = build_alti(attention, architecture)
    return graphs
