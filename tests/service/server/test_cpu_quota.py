"""The number of workers follows the container, not the host."""

import os
from pathlib import Path

import pytest

from service.server.cpu_quota import available_cpus

CPUS = len(os.sched_getaffinity(0))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_without_control_groups_the_affinity_counts(tmp_path: Path) -> None:
    assert available_cpus(tmp_path, tmp_path / "none") == CPUS


@pytest.mark.parametrize(
    ("quota", "cpus"),
    [
        ("max 100000", 8),
        ("100000 100000", 1),
        ("50000 100000", 1),
        ("250000 100000", 2),
        ("399999 100000", 3),
        ("20000 5000", 4),
        ("100000000 100000", 8),
        ("nonsense", 8),
        ("", 8),
    ],
)
def test_quota_of_version_2_is_rounded_down_but_at_least_one(
    tmp_path: Path, quota: str, cpus: int
) -> None:
    _write(tmp_path / "cpu.max", quota + "\n")
    assert available_cpus(tmp_path, tmp_path / "none", allowed=8) == cpus


def test_affinity_bounds_the_quota(tmp_path: Path) -> None:
    _write(tmp_path / "cpu.max", "400000 100000\n")
    assert available_cpus(tmp_path, tmp_path / "none", allowed=3) == 3
    assert available_cpus(tmp_path, tmp_path / "none", allowed=6) == 4


def test_quota_of_a_parent_group_counts_too(tmp_path: Path) -> None:
    _write(tmp_path / "own", "0::/slice/unit\n")
    _write(tmp_path / "groups" / "slice" / "unit" / "cpu.max", "max 100000\n")
    _write(tmp_path / "groups" / "slice" / "cpu.max", "100000 100000\n")
    assert available_cpus(tmp_path / "groups", tmp_path / "own") == 1


@pytest.mark.parametrize("controllers", ["cpu", "cpu,cpuacct", "cpuacct,cpu"])
def test_quota_of_version_1_counts(tmp_path: Path, controllers: str) -> None:
    own = f"5:{controllers}:/docker/abc\n4:cpuset:/docker/abc\n3:memory:/docker/abc\n"
    _write(tmp_path / "own", own)
    group = tmp_path / "groups" / controllers / "docker" / "abc"
    _write(group / "cpu.cfs_quota_us", "150000\n")
    _write(group / "cpu.cfs_period_us", "50000\n")
    assert available_cpus(tmp_path / "groups", tmp_path / "own", allowed=8) == 3


def test_the_quota_of_a_container_counts_where_its_own_folder_is_not_mounted(
    tmp_path: Path,
) -> None:
    """A container without a namespace of its own sees its group as the root."""
    _write(tmp_path / "own", "5:cpu,cpuacct:/docker/abc\n")
    root = tmp_path / "groups" / "cpu,cpuacct"
    _write(root / "cpu.cfs_quota_us", "200000\n")
    _write(root / "cpu.cfs_period_us", "100000\n")
    assert available_cpus(tmp_path / "groups", tmp_path / "own", allowed=8) == 2


def test_version_1_without_a_bound_leaves_the_affinity(tmp_path: Path) -> None:
    _write(tmp_path / "cpu" / "cpu.cfs_quota_us", "-1\n")
    _write(tmp_path / "cpu" / "cpu.cfs_period_us", "100000\n")
    assert available_cpus(tmp_path, tmp_path / "none") == CPUS
