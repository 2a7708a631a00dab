"""Number of CPUs that this process may use: its affinity and its container's quota."""

import os
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


def available_cpus(
    cgroups: Path = _CGROUPS, own_cgroup: Path = _OWN_CGROUP, allowed: int | None = None
) -> int:
    """Whole CPUs that the process may use, at least 1.

    A quota of 2.5 CPUs gives 2: with a third busy thread, the kernel would throttle all of them in
    every period.

    Args:
        cgroups: Where control groups are mounted.
        own_cgroup: The kernel's list of the groups that the process is in.
        allowed: CPUs that the process may be scheduled on; default: its affinity, which follows
            the container's cpuset.
    """
    quotas = [_quota(folder) for folder in _own_folders(cgroups, own_cgroup)]
    bounds = [int(quota) for quota in quotas if quota is not None]
    return max(1, min([_affinity() if allowed is None else allowed, *bounds]))


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # not Linux: there are no control groups either


def _own_folders(cgroups: Path, own_cgroup: Path) -> list[Path]:
    """Folders that may carry a quota: those of the process, up to the roots."""
    roots = {"": cgroups, "cpu": cgroups / "cpu", "cpu,cpuacct": cgroups / "cpu,cpuacct"}
    folders = set(roots.values())
    for line in _read(own_cgroup).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        # Version 2 names no controllers; version 1 may mount several as one.
        if controllers and "cpu" not in controllers.split(","):
            continue
        folder = roots.get(controllers, cgroups / controllers) / path.lstrip("/")
        folders |= {p for p in (folder, *folder.parents) if p.is_relative_to(cgroups)}
    return sorted(folders)


def _quota(folder: Path) -> float | None:
    """CPUs that a control group may use, version 2 or 1; None if it sets no bound."""
    quota, _, period = _read(folder / "cpu.max").partition(" ")
    if not quota:
        quota = _read(folder / "cpu.cfs_quota_us")
        period = _read(folder / "cpu.cfs_period_us")
    try:
        return int(quota) / int(period) if int(quota) > 0 else None
    except (ValueError, ZeroDivisionError):  # "max", or no such file
        return None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
