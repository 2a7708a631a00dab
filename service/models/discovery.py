"""Discovery: finds the bundles in given folders and opens them; reports all faults at once."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from bundle.errors import InvalidBundleError
from bundle.folders import folders_at, yields
from bundle.manifest import MANIFEST_NAME
from bundle.reader import Bundle, check_unchanged, read_bundle
from service.engine.graphs.sessions import Sessions, check_attention, open_sessions
from service.errors import StartupError

_log = logging.getLogger(__name__)


def open_bundles(
    paths: Sequence[Path],
    *,
    num_threads: int = 1,
    opened: Mapping[str, Sessions] | None = None,
    opens_graphs: bool = True,
) -> list[Sessions]:
    """Verify all bundles and open those that are not open yet, in the order given.

    Args:
        paths: Bundle folders, or folders of bundle folders.
        num_threads: Threads within one operator.
        opened: Sessions that are open already, by the digest of their bundle.
        opens_graphs: False leaves the graphs to engine processes, which open and check them.

    Raises:
        StartupError: With every fault of every bundle.
    """
    faults: list[str] = []
    open_graphs = _open if opens_graphs else _defer
    folders = _bundle_folders(paths, faults)
    found = list(
        _open_all(folders, partial(open_graphs, num_threads=num_threads), opened or {}, faults)
    )
    faults += _duplicate_faults([bundle for bundle, _ in found])
    if faults:
        raise StartupError("; ".join(faults))
    return [sessions for _, sessions in found]


def read_bundles(paths: Sequence[Path]) -> list[Bundle]:
    """Verify all bundles without opening them.

    Args:
        paths: Bundle folders, or folders of bundle folders.

    Raises:
        StartupError: With every fault of every bundle.
    """
    faults: list[str] = []
    bundles = []
    for folder in _bundle_folders(paths, faults):
        try:
            bundles.append(read_bundle(folder))
        except InvalidBundleError as error:
            faults.append(str(error))
        except OSError as error:
            faults.append(f"{folder} cannot be read: {error.strerror}")
    faults += _duplicate_faults(bundles)
    if faults:
        raise StartupError("; ".join(faults))
    return bundles


def _open_all(
    folders: Sequence[Path],
    open_graphs: Callable[[Bundle], Sessions],
    opened: Mapping[str, Sessions],
    faults: list[str],
) -> Iterator[tuple[Bundle, Sessions]]:
    for folder in folders:
        try:
            bundle = read_bundle(folder, seals=True)
            sessions = opened.get(bundle.sha256) or open_graphs(bundle)
        except InvalidBundleError as error:
            faults.append(str(error))
        except OSError as error:
            faults.append(f"{folder} cannot be read: {error.strerror}")
        else:
            yield bundle, sessions


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
