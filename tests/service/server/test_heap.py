"""glibc gives large blocks back."""

import platform
import subprocess
import sys

import pytest

SCRIPT = """
from pathlib import Path
from service.server.heap import tune_heap

def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

assert tune_heap()
bytearray(3_000_000)  # glibc would now keep blocks of this size on its heap
blocks = [bytearray(3_000_000) for _ in range(20)]
for block in blocks:
    block[:] = b"x" * len(block)
full = resident()
last = blocks.pop()  # the top of a heap: what is below it would stay
blocks.clear()
assert full - resident() > 50_000_000, (full, resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_freed_bodies_leave_the_process() -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, timeout=60)
