"""Discovery: finds the bundles in given folders and opens them; reports all faults at once."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from bundle.errors import InvalidBundleError
from bundle.folders import folders_at, yields
from bundle.manifest import MANIFEST_NAME
from bundle.reader import Bundle, check_unchanged, describe_bundle, read_bundle
from bundle.verified import VerifiedFiles
from service.engine.graphs.sessions import Sessions, check_attention, open_sessions
from service.errors import StartupError

Result = TypeVar("Result")

_log = logging.getLogger(__name__)


def open_bundles(
    paths: Sequence[Path],
    *,
    num_threads: int = 1,
    opened: Mapping[str, Sessions] | None = None,
    opens_graphs: bool = True,
    verified: VerifiedFiles | None = None,
) -> list[Sessions]:
    """Verify all bundles and open those that are not open yet, in the order given.

    Args:
        paths: Bundle folders, or folders of bundle folders.
        num_threads: Threads within one operator.
        opened: Sessions that are open already, by the digest of their bundle.
        opens_graphs: False leaves the graphs to engine processes, which open and check them.
        verified: Records of files that need not be hashed again.

    Raises:
        StartupError: With every fault of every bundle.
    """
    graphs = partial(_open if opens_graphs else _defer, num_threads=num_threads)
    done = opened or {}

    def open_one(folder: Path) -> tuple[Bundle, Sessions]:
        bundle = read_bundle(folder, seals=True, verified=verified)
        return bundle, done.get(bundle.sha256) or graphs(bundle)

    faults: list[str] = []
    found = _each(open_one, _bundle_folders(paths, faults), faults)
    faults += _duplicate_faults([bundle for bundle, _ in found])
    if faults:
        raise StartupError("; ".join(faults))
    return [sessions for _, sessions in found]


def open_described(
    bundle: Bundle,
    *,
    num_threads: int = 1,
    opens_graphs: bool = True,
    verified: VerifiedFiles | None = None,
) -> Sessions:
    """Verify and open a bundle that has been described; see `open_bundles`.

    Raises:
        StartupError: With every fault.
    """
    (sessions,) = open_bundles(
        [bundle.path], num_threads=num_threads, opens_graphs=opens_graphs, verified=verified
    )
    if sessions.bundle.sha256 != bundle.sha256:
        raise StartupError(f"{bundle.path} was replaced: reload, so that it is served as it is now")
    return sessions


def describe_bundles(paths: Sequence[Path]) -> list[Bundle]:
    """Describe all bundles by their manifests, without reading their files.

    Args:
        paths: Bundle folders, or folders of bundle folders.

    Raises:
        StartupError: With every fault of every bundle.
    """
    return _read_all(describe_bundle, paths)


def read_bundles(paths: Sequence[Path], verified: VerifiedFiles | None = None) -> list[Bundle]:
    """Verify all bundles without opening them.

    Args:
        paths: Bundle folders, or folders of bundle folders.
        verified: Records of files that need not be hashed again.

    Raises:
        StartupError: With every fault of every bundle.
    """
    return _read_all(partial(read_bundle, verified=verified), paths)


def _read_all(read: Callable[[Path], Bundle], paths: Sequence[Path]) -> list[Bundle]:
    faults: list[str] = []
    bundles = _each(read, _bundle_folders(paths, faults), faults)
    faults += _duplicate_faults(bundles)
    if faults:
        raise StartupError("; ".join(faults))
    return bundles


def _each(
    function: Callable[[Path], Result], folders: Sequence[Path], faults: list[str]
) -> list[Result]:
    """The results for all folders that have no fault."""
    found = []
    for folder in folders:
        try:
            found.append(function(folder))
        except InvalidBundleError as error:
            faults.append(str(error))
        except OSError as error:
            faults.append(f"{folder} cannot be read: {error.strerror}")
    return found


def _defer(bundle: Bundle, *, num_threads: int) -> Sessions:
    return Sessions(bundle=bundle, num_threads=num_threads)


def _open(bundle: Bundle, *, num_threads: int) -> Sessions:
    sessions = open_sessions(bundle, num_threads=num_threads)
    check_attention(sessions)
    if bundle.files is None:
        check_unchanged(bundle.path, bundle.sha256)  # while it was opened
    return sessions


def _bundle_folders(paths: Sequence[Path], faults: list[str]) -> list[Path]:
    """Every bundle folder once, in the order given."""
    folders: dict[Path, None] = {}
    for path in paths:
        try:
            found = _folders_at(path)
        except OSError as error:
            faults.append(f"{path} cannot be read: {error.strerror}")
            continue
        if not found:
            problem = "no bundle in it" if path.is_dir() else "there is no such folder"
            faults.append(f"{path}: {problem}; give a folder with a {MANIFEST_NAME}, or one above")
        folders.update((folder.resolve(), None) for folder in found)
    return list(folders)


def _folders_at(path: Path) -> list[Path]:
    found = folders_at(path)
    if path.is_dir() and path not in found:
        below = {p for p in path.iterdir() if p.is_dir() and not p.name.startswith(".")}
        for folder in sorted(below - set(found)):
            _log.warning("folder is no bundle", extra={"folder": str(folder)})
    return found


def _duplicate_faults(bundles: Sequence[Bundle]) -> list[str]:
    first: dict[tuple[str, str], Bundle] = {}
    faults = []
    for bundle in bundles:
        for pair in bundle.manifest.pairs:
            other = first.setdefault((pair.source, pair.target), bundle)
            if other is not bundle and not yields(bundle.path, other.path):
                both = f"{other.path} and {bundle.path}"
                faults.append(f"{pair} is translated by both {both}: leave one out")
    return faults
