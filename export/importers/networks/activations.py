"""Activations of feed-forwards: other programs' names for them, and the torch modules."""

from torch import Tensor, nn

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


class SigmoidGelu(nn.Module):
    """`x * sigmoid(1.702 x)`, an approximation of GELU (Hendrycks and Gimpel 2016)."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Element by element."""
        return inputs * (1.702 * inputs).sigmoid()


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


def activation_module(name: str) -> nn.Module:
    """The torch module of an activation, by the manifest's name."""
    if name == "gelu-tanh":
        return nn.GELU(approximate="tanh")
    kinds: dict[str, type[nn.Module]] = {
        "relu": nn.ReLU,
        "gelu": nn.GELU,
        "swish": nn.SiLU,
        "gelu-sigmoid": SigmoidGelu,
    }
    return kinds[name]()
