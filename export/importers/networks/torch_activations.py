"""The torch modules of activations."""

from torch import Tensor, nn


class SigmoidGelu(nn.Module):
    """`x * sigmoid(1.702 x)`, an approximation of GELU (Hendrycks and Gimpel 2016)."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Element by element."""
        return inputs * (1.702 * inputs).sigmoid()


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
