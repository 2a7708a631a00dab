"""What the processor can do, as far as it decides how exact integer products are."""

from functools import cache
from pathlib import Path

_CPU_INFO = Path("/proc/cpuinfo")
_VNNI_FLAGS = frozenset({"avx512_vnni", "avx_vnni"})


@cache
def has_exact_integer_product() -> bool:
    """Whether products of uint8 and int8 are summed without saturating, which takes VNNI on x86.

    Where that cannot be found out the answer is no: a slower product is always right.
    """
    try:
        return names_vnni(_CPU_INFO.read_text(encoding="utf-8"))
    except OSError:
        return False


def names_vnni(cpu_info: str) -> bool:
    """Whether every processor in a `/proc/cpuinfo` has VNNI."""
    lines = [line for line in cpu_info.splitlines() if line.startswith("flags")]
    return bool(lines) and all(_VNNI_FLAGS & set(line.split()) for line in lines)
