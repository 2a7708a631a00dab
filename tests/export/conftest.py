import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Networks this small are faster on one core, and its sums have one order."""
    torch.set_num_threads(1)
