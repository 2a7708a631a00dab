import pytest
import torch

from model.training.optimization.bfloat16 import is_emulated


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, True),
        ({"avx512_f": True, "avx512_bf16": True, "amx_bf16": False}, False),
        ({"amx_bf16": True}, False),
        ({"neon": True, "bf16": True}, False),
        ({"neon": True}, True),
    ],
)
def test_a_cpu_without_the_instructions_emulates_them(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], *, expected: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert is_emulated(torch.device("cpu")) == expected
    assert not is_emulated(torch.device("cuda"))


def test_torch_names_the_instructions_of_this_cpu() -> None:
    assert any("bf16" in name for name in torch.cpu.get_capabilities())
