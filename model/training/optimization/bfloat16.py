"""Whether a device has instructions for bfloat16."""

import torch

_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
"""Of x86 and ARM, as torch names them."""


def is_emulated(device: torch.device) -> bool:
    """Whether `device` computes in bfloat16 by way of fp32, and so more slowly than in fp32.

    Accelerators count as having the instructions.
    """
    capabilities = torch.cpu.get_capabilities()
    return device.type == "cpu" and not any(capabilities.get(name) for name in _INSTRUCTIONS)
