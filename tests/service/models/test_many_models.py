"""Forty copies of the embedded bundle in a server that has memory for nine of them."""

import json
import random
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from bundle.manifest import MANIFEST_NAME
from tests.service.server_process import REPOSITORY, ServerProcess, engines_of, serving

pytestmark = pytest.mark.slow

NUM_BUNDLES = 40
BUDGET_MB = 1000
MOST_MB = 2000
LONGEST_S = 300.0
TEXT = "Good morning, how are you? The meeting begins at 10:30."
SAMPLE_S = 0.2


def copy_all(folder: Path) -> list[str]:
    """Copies that claim to translate English to languages of their own; returns these."""
    names = [f"q{chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(NUM_BUNDLES)]
    for name in names:
        copy = shutil.copytree(REPOSITORY / "bundles" / "en-de", folder / name)
        manifest = json.loads((copy / MANIFEST_NAME).read_bytes())
        pair = {"source": "en", "target": name}
        manifest |= {"name": f"en-{name}", "pairs": [pair]}
        manifest["canary"]["pair"] = pair
        (copy / MANIFEST_NAME).write_text(json.dumps(manifest), encoding="utf-8")
    return names


def proportional_mb(pid: int) -> float:
    """Memory of a process, shared pages divided among those that share them; 0 if it ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text("utf-8").splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6


@dataclass
class Peak:
    """The most memory that front and engines had together."""

    all_mb: float = 0.0
    num_engines: int = 0


@contextmanager
def sampled(server: ServerProcess) -> Iterator[Peak]:
    peak, ended = Peak(), threading.Event()

    def sample() -> None:
        while not ended.wait(SAMPLE_S):
            engines = engines_of(server.process.pid)
            all_mb = sum(map(proportional_mb, (server.process.pid, *engines)))
            peak.all_mb = max(peak.all_mb, all_mb)
            peak.num_engines = max(peak.num_engines, len(engines))

    sampling = threading.Thread(target=sample)
    sampling.start()
    try:
        yield peak
    finally:
        ended.set()
        sampling.join()


def translate(server: ServerProcess, target: str) -> str:
    body = {"q": TEXT, "source": "en", "target": target}
    reply = httpx.post(f"{server.url}/translate", json=body, timeout=LONGEST_S)
    assert reply.status_code == 200, reply.text
    return str(reply.json()["translatedText"])


def test_forty_bundles_are_served_in_two_gigabytes_and_unloading_loses_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundles = tmp_path / "bundles"
    names = copy_all(bundles)
    flags = ("--load", "first_use", "--model-memory-mb", str(BUDGET_MB), "--pivot", "false")
    limits = ("--engines", "2", "--deadline-ms", str(int(1000 * LONGEST_S)))
    asked = [*names, *random.Random(0).choices(names, k=NUM_BUNDLES)]
    with serving(tmp_path, "--bundles", str(bundles), *flags, *limits) as server:
        with sampled(server) as peak, ThreadPoolExecutor(4) as clients:
            texts = set(clients.map(lambda name: translate(server, name), asked))
        loads = server.metric('pellucid_model_loads_total{outcome="loaded"}')
        unloads = server.metric('pellucid_model_unloads_total{reason="memory"}')
        front_mb = proportional_mb(server.process.pid)
    with capsys.disabled():
        print(
            f"\n{NUM_BUNDLES} bundles, {len(asked)} requests, {loads:.0f} loads, {unloads:.0f} "
            f"unloads; at most {peak.num_engines} engines and {peak.all_mb:.0f} MB in all; the "
            f"front {front_mb:.0f} MB at the end"
        )
    assert len(texts) == 1
    assert loads >= NUM_BUNDLES
    assert unloads >= loads - BUDGET_MB / 70
    assert 0 < peak.all_mb < MOST_MB
    assert front_mb < 200
