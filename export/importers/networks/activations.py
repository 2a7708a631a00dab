"""Activations of feed-forwards: other programs' names for them."""

from export.errors import ExportError

KNOWN = {
    "relu": "relu",
    "gelu": "gelu",
    "swish": "swish",
    "silu": "swish",
    "gelu_new": "gelu-tanh",
    "gelu_accurate": "gelu-tanh",
    "gelu_fast": "gelu-tanh",
    "gelu_pytorch_tanh": "gelu-tanh",
    "quick_gelu": "gelu-sigmoid",
}
"""Name in most libraries -> name in the manifest, which the graphs are built by."""


def known_activation(name: str) -> str:
    """The manifest's name of an activation.

    Raises:
        ExportError: The graphs do not support it.
    """
    if name not in KNOWN:
        raise ExportError(
            f"the activation {name!r} is not supported; these are: {', '.join(sorted(KNOWN))}"
        )
    return KNOWN[name]
