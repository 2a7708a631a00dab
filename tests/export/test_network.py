"""The arrays of a checkpoint are finite."""

import numpy as np
import pytest
import torch

from export.errors import ExportError
from export.network import network_of
from tests.export.networks import random_transformer


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_weight_that_is_not_finite_is_named(wrong: float) -> None:
    model = random_transformer()
    name, parameter = list(model.named_parameters())[3]
    with torch.no_grad():
        parameter.view(-1)[-1] = wrong
    with pytest.raises(ExportError, match=f"NaN or infinite weights in {name}: "):
        network_of(model, max_source=16, max_target=16)
