"""CPU features that decide how quantised products are computed."""

from functools import cache
from pathlib import Path

_CPU_INFO = Path("/proc/cpuinfo")
_VNNI_FLAGS = frozenset({"avx512_vnni", "avx_vnni"})


@cache
def has_exact_integer_product() -> bool:
    """Whether sums of uint8 x int8 products do not saturate, which takes VNNI on x86.

    False where that is unknown: the slower product is always exact.
    """
    try:
        return has_vnni(_CPU_INFO.read_text(encoding="utf-8"))
    except OSError:
        return False


def has_vnni(cpu_info: str) -> bool:
    """Whether every processor in the text of `/proc/cpuinfo` has VNNI."""
    lines = [line for line in cpu_info.splitlines() if line.startswith("flags")]
    return bool(lines) and all(_VNNI_FLAGS & set(line.split()) for line in lines)
