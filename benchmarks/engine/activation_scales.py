"""Speed of per-tensor dynamic activation scales over the calibrated ones of an int8 bundle.

Dynamic scales break batch invariance (docs/decisions/0009), so they would have to be much faster.
Both run the same weights, in turns, with one thread.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from benchmarks.harness.machine import commit, machine, versions
from bundle.reader import read_bundle
from bundle.tensors import DECODER_NAME, ENCODER_NAME
from service.engine.cache.slot_cache import SlotCache
from service.engine.graphs.decoder import DecoderStep
from service.engine.graphs.encoder import encode
from service.engine.graphs.sessions import Sessions, open_sessions

ROWS = (1, 8, 32)
SOURCE_TOKENS = 14
POSITION = 8
"""Tokens decoded before the step that is timed."""


def main() -> int:
    """Print the times of both kinds of scales."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, help="an int8 bundle")
    parser.add_argument("--rounds", type=int, default=300)
    arguments = parser.parse_args()
    print(machine(), versions("onnxruntime"), commit())
    with tempfile.TemporaryDirectory() as folder:
        static = open_sessions(read_bundle(arguments.bundle))
        dynamic = with_dynamic_scales(static, Path(folder) / "dynamic")
        for rows in ROWS:
            _compare(f"decoder step, {rows} rows", static, dynamic, arguments.rounds, _step(rows))
            name = f"encoder, {rows} x {SOURCE_TOKENS} tokens"
            _compare(name, static, dynamic, arguments.rounds // 4, _encoding(rows))
    return 0


def with_dynamic_scales(static: Sessions, folder: Path) -> Sessions:
    """The same bundle with one scale per activation tensor, computed at run time."""
    shutil.copytree(static.bundle.path, folder)
    for name in (ENCODER_NAME, DECODER_NAME):
        graph = onnx.load(folder / name, load_external_data=False)
        for node in graph.graph.node:
            _scale_dynamically(node, graph.graph)
        (folder / name).write_bytes(graph.SerializeToString())
    return open_sessions(replace(static.bundle, path=folder))


def _scale_dynamically(node: onnx.NodeProto, graph: onnx.GraphProto) -> None:
    """Make a product quantise its input itself, with one scale for all rows."""
    if node.op_type != "MatMulIntegerToFloat":
        return
    rounded = next(n for n in graph.node if n.output[0] == node.input[0])
    inputs = [rounded.input[0], node.input[1], node.input[3], "", *node.input[6:]]
    node.CopyFrom(
        helper.make_node("DynamicQuantizeMatMul", inputs, node.output, domain="com.microsoft")
    )


def _step(rows: int) -> Callable[[Sessions], Callable[[], object]]:
    def prepare(sessions: Sessions) -> Callable[[], object]:
        cache = SlotCache(sessions.bundle.manifest, rows)
        step = DecoderStep(sessions, cache)
        group = next(iter(encode(sessions, [_source(sessions)])))
        for _ in range(rows):
            cache.add_row([values[0] for values in group.cross], SOURCE_TOKENS)

        def run() -> None:
            cache.positions[:] = POSITION
            step.run()

        return run

    return prepare


def _encoding(rows: int) -> Callable[[Sessions], Callable[[], object]]:
    return lambda sessions: lambda: list(encode(sessions, [_source(sessions)] * rows))


def _source(sessions: Sessions) -> list[int]:
    vocab_size = sessions.bundle.manifest.architecture.vocab_size
    ids: list[int] = np.random.default_rng(0).integers(4, vocab_size, SOURCE_TOKENS).tolist()
    return ids


def _compare(
    name: str,
    static: Sessions,
    dynamic: Sessions,
    rounds: int,
    prepare: Callable[[Sessions], Callable[[], object]],
) -> None:
    runs = [prepare(static), prepare(dynamic)]
    seconds: list[list[float]] = [[], []]
    for _ in range(rounds):
        for run, times in zip(runs, seconds, strict=True):
            started_s = time.perf_counter()
            run()
            times.append(time.perf_counter() - started_s)
    ours, theirs = (1e6 * statistics.median(times) for times in seconds)
    print(f"{name}: {ours:.0f} us, dynamic {theirs:.0f} us, {ours / theirs:.3f} times as fast")


if __name__ == "__main__":
    sys.exit(main())
