"""How near a decoder step comes to the peak of this machine.

A step must read every weight once, and the cached keys and values of every row, and it must
multiply every row with every weight. The slower of the two is its minimum time.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from benchmarks.engine.step_time import multiplications, step_seconds
from bundle.manifest import Architecture
from bundle.reader import Bundle
from service.engine.graphs.cpu_features import has_exact_integer_product
from service.engine.graphs.sessions import session_options

Bound = Literal["memory", "arithmetic"]
_MATRIX = 1024
_LARGE_BYTES = 1 << 28
"""Larger than any cache."""
_MIN_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Peaks:
    """Peak of one thread of this machine, measured with the engine's libraries."""

    memory_gb_per_s: float
    """Reading more than any cache holds."""
    fp32_gmac_per_s: float
    """Multiplications and additions of `MatMul`, square matrices of 1024."""
    int8_gmac_per_s: float
    """Likewise of `MatMulIntegerToFloat`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRoof:
    """A decoder step of one thread, against its minimum time."""

    precision: str
    rows: int
    past: int
    """Tokens cached in each row."""
    megabytes: float
    """To be read: weights and cache, 10**6 bytes."""
    megamacs: float
    """Multiplications with an addition, 10**6."""
    resident_gb_per_s: float
    """Reading as many bytes repeatedly: from a cache, if they fit into one."""
    bound: Bound
    """The bound: reading or multiplying."""
    floor_ms: float
    measured_ms: float
    reached: float
    """floor / measured."""


def measure_peaks() -> Peaks:
    """Measure the machine; takes a second."""
    macs = _MATRIX**3 / 1e9
    return Peaks(
        memory_gb_per_s=round(_read_rate(_LARGE_BYTES), 1),
        fp32_gmac_per_s=round(macs / _fastest(_float_product()), 1),
        int8_gmac_per_s=round(macs / _fastest(_integer_product()), 1),
    )


def measure_roof(
    bundle: Bundle, peaks: Peaks, *, rows: int, source: int, past: int, rounds: int
) -> StepRoof:
    """Compare steps around `past` cached tokens with their floor.

    Args:
        bundle: The decoder.
        peaks: Of this machine.
        rows: Sentences at once.
        source: Tokens of each sentence.
        past: At most three quarters of the cache's capacity.
        rounds: Number of runs.
    """
    manifest = bundle.manifest
    architecture = manifest.architecture
    eos = manifest.special_ids.eos
    source_ids = [*range(eos + 1, eos + source), eos]
    runs = [step_seconds(bundle, source_ids, rows, past * 4 // 3) for _ in range(rounds)]
    measured = statistics.median(s for run in runs for s in run[past * 2 // 3 :])
    is_int8 = manifest.precision != "fp32"
    read = _bytes_read(architecture, rows, source + past, is_int8=is_int8)
    macs = rows * multiplications(architecture, past, source)
    resident = _read_rate(int(read))
    rate = peaks.int8_gmac_per_s if is_int8 else peaks.fp32_gmac_per_s
    times: dict[Bound, float] = {"memory": read / resident / 1e9, "arithmetic": macs / rate / 1e9}
    bound = max(times, key=times.__getitem__)
    return StepRoof(
        precision=manifest.precision,
        rows=rows,
        past=past,
        megabytes=round(read / 1e6, 2),
        megamacs=round(macs / 1e6, 1),
        resident_gb_per_s=round(resident, 1),
        bound=bound,
        floor_ms=round(1000 * times[bound], 4),
        measured_ms=round(1000 * measured, 4),
        reached=round(times[bound] / measured, 3),
    )


def print_roofs(peaks: Peaks, roofs: Sequence[StepRoof]) -> None:
    """Print a table."""
    print(
        f"\none thread reads {peaks.memory_gb_per_s:.0f} GB/s of memory and multiplies "
        f"{peaks.fp32_gmac_per_s:.0f} (fp32) and {peaks.int8_gmac_per_s:.0f} (int8) GMAC/s"
    )
    print("precision rows past      MB    MMAC  GB/s  bound       floor ms  measured ms  reached")
    for roof in roofs:
        print(
            f"{roof.precision:9} {roof.rows:4d} {roof.past:4d} {roof.megabytes:7.2f} "
            f"{roof.megamacs:7.1f} {roof.resident_gb_per_s:5.0f}  {roof.bound:10} "
            f"{roof.floor_ms:9.3f} {roof.measured_ms:12.3f} {roof.reached:8.0%}"
        )


def _bytes_read(architecture: Architecture, rows: int, cached: int, *, is_int8: bool) -> float:
    """Weights once for all rows; keys and values of all layers for each row."""
    per_number = 1 if is_int8 else 4
    weights = multiplications(architecture, past=-1, source=0)
    cache = 2 * architecture.num_decoder_layers * architecture.d_model * cached * rows
    return per_number * (weights + cache)


def _read_rate(num_bytes: int) -> float:
    """10**9 bytes per second, read repeatedly by one thread."""
    values = np.ones(max(num_bytes // 4, 1), dtype=np.float32)
    return values.nbytes / _fastest(values.max) / 1e9


def _fastest(run: Callable[[], object]) -> float:
    """Seconds of the fastest of many runs: peaks are not medians."""
    run()
    best, until_s = float("inf"), time.perf_counter() + _MIN_SECONDS
    while time.perf_counter() < until_s:
        started_s = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - started_s)
    return best


def _product(node: onnx.NodeProto, **arrays: NDArray[np.generic]) -> Callable[[], object]:
    """A run of one operator on input `a`; the rest are weights."""
    a = arrays.pop("a")
    inputs = [helper.make_tensor_value_info("a", helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, a.shape)
    weights = [numpy_helper.from_array(values, name) for name, values in arrays.items()]
    graph = helper.make_graph([node], "product", inputs, [output], weights)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    session = ort.InferenceSession(
        model.SerializeToString(),
        session_options(1, is_exact=has_exact_integer_product()),
        providers=["CPUExecutionProvider"],
    )
    return lambda: session.run(None, {"a": a})


def _float_product() -> Callable[[], object]:
    values = np.random.default_rng(1).standard_normal((_MATRIX, _MATRIX), dtype=np.float32)
    return _product(helper.make_node("MatMul", ["a", "b"], ["y"]), a=values, b=values)


def _integer_product() -> Callable[[], object]:
    chance = np.random.default_rng(1)
    names = ["a", "b", "a_scale", "b_scales", "a_zero"]
    return _product(
        helper.make_node("MatMulIntegerToFloat", names, ["y"], domain="com.microsoft"),
        a=chance.integers(0, 256, (_MATRIX, _MATRIX), dtype=np.uint8),
        b=chance.integers(-127, 128, (_MATRIX, _MATRIX), dtype=np.int8),
        a_scale=np.array(0.01, dtype=np.float32),
        b_scales=np.full(_MATRIX, 0.01, dtype=np.float32),
        a_zero=np.array(128, dtype=np.uint8),
    )
