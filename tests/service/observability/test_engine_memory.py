"""Memory of engine processes, out of files like those of the kernel."""

import os
from pathlib import Path

from service.observability.engine_memory import ENGINE_NAME, EngineMemory, engine_bytes_by_bundle

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def process(folder: Path, pid: str, name: str, statm: str) -> None:
    (folder / pid).mkdir()
    (folder / pid / "comm").write_text(f"{name}\n")
    (folder / pid / "statm").write_text(statm)


def measured(folder: Path) -> float:
    (metric,) = EngineMemory(folder / "1").collect()
    (sample,) = metric.samples
    return float(sample.value)


def test_private_pages_of_all_engines_are_counted(tmp_path: Path) -> None:
    for thread, children in (("1", "7 8 "), ("2", "9 10 ")):
        task = tmp_path / "1" / "task" / thread
        task.mkdir(parents=True)
        (task / "children").write_text(children)
    process(tmp_path, "7", ENGINE_NAME, "900 50 20 0 0 0 0")
    process(tmp_path, "8", "another", "900 5000 20 0 0 0 0")
    process(tmp_path, "9", ENGINE_NAME, "900 40 30 0 0 0 0")
    assert measured(tmp_path) == (30 + 10) * PAGE_BYTES, "10 has ended"


def test_engines_are_told_apart_by_the_bundle_in_their_arguments(tmp_path: Path) -> None:
    task = tmp_path / "1" / "task" / "1"
    task.mkdir(parents=True)
    (task / "children").write_text("5 6 7 8 ")
    for pid, arguments in (
        ("5", ("--sha256", "aa", "--slots", "8")),
        ("6", ("--slots", "8", "--sha256", "bb")),
        ("7", ("--sha256", "aa")),
        ("8", ("--sha256",)),
    ):
        process(tmp_path, pid, ENGINE_NAME, f"900 {pid}0 20 0 0 0 0")
        (tmp_path / pid / "cmdline").write_text("\0".join(("python", *arguments)) + "\0")
    found = engine_bytes_by_bundle(tmp_path / "1")
    assert found == {"aa": (30 + 50) * PAGE_BYTES, "bb": 40 * PAGE_BYTES}


def test_without_engines_there_is_nothing(tmp_path: Path) -> None:
    assert measured(tmp_path) == 0
