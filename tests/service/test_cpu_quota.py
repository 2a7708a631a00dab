"""The number of workers follows the container, not the host."""

import os
from pathlib import Path

import pytest

from service.cpu_quota import available_cpus

CPUS = len(os.sched_getaffinity(0))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_without_control_groups_the_affinity_counts(tmp_path: Path) -> None:
    assert available_cpus(tmp_path, tmp_path / "none") == CPUS


@pytest.mark.parametrize(
    ("quota", "cpus"),
    [
        ("max 100000", CPUS),
        ("100000 100000", 1),
        ("50000 100000", 1),
        ("100000000 100000", CPUS),
        ("nonsense", CPUS),
        ("", CPUS),
    ],
)
def test_quota_of_version_2_is_rounded_down_but_at_least_one(
    tmp_path: Path, quota: str, cpus: int
) -> None:
    _write(tmp_path / "cpu.max", quota + "\n")
    assert available_cpus(tmp_path, tmp_path / "none") == cpus


def test_quota_of_a_parent_group_counts_too(tmp_path: Path) -> None:
    _write(tmp_path / "own", "0::/slice/unit\n")
    _write(tmp_path / "groups" / "slice" / "unit" / "cpu.max", "max 100000\n")
    _write(tmp_path / "groups" / "slice" / "cpu.max", "100000 100000\n")
    assert available_cpus(tmp_path / "groups", tmp_path / "own") == 1


def test_quota_of_version_1_counts(tmp_path: Path) -> None:
    _write(tmp_path / "own", "5:cpu,cpuacct:/docker/abc\n3:memory:/docker/abc\n")
    group = tmp_path / "groups" / "cpu,cpuacct" / "docker" / "abc"
    _write(group / "cpu.cfs_quota_us", "100000\n")
    _write(group / "cpu.cfs_period_us", "100000\n")
    assert available_cpus(tmp_path / "groups", tmp_path / "own") == 1


def test_version_1_without_a_bound_leaves_the_affinity(tmp_path: Path) -> None:
    _write(tmp_path / "cpu" / "cpu.cfs_quota_us", "-1\n")
    _write(tmp_path / "cpu" / "cpu.cfs_period_us", "100000\n")
    assert available_cpus(tmp_path, tmp_path / "none") == CPUS
