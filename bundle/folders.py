"""Where bundles are looked for: the folders that are given, else the installed and the embedded."""

import os
from collections.abc import Iterable
from pathlib import Path

from bundle.manifest import MANIFEST_NAME

_APPLICATION = "pellucid"
_EMBEDDED = Path(__file__).with_name("embedded")


def default_paths() -> tuple[Path, ...]:
    """Where bundles are looked for unless `PELLUCID_BUNDLES` or a flag says otherwise.

    Of a pair in both, the installed bundle translates it: it comes first.
    """
    installed, embedded = installed_folder(), embedded_folder()
    return (installed, embedded) if folders_at(installed) else (embedded,)


def installed_folder() -> Path:
    """The folder of installed bundles: `bundles` in the user's data folder; it may not exist."""
    from platformdirs import user_data_path  # here: engines do not ask for it

    return user_data_path(_APPLICATION, appauthor=False) / "bundles"


def embedded_folder() -> Path:
    """The bundles that come with the program; in a checkout, a link to its folder `bundles`."""
    return _EMBEDDED.resolve()


def is_embedded(folder: Path) -> bool:
    """Whether a bundle came with the program."""
    return embedded_folder() in folder.resolve().parents


def yields(folder: Path, earlier: Path) -> bool:
    """Whether a bundle leaves its pairs to one that is found before it.

    The embedded one does, to all that did not come with the program.
    """
    return is_embedded(folder) and not is_embedded(earlier)


def split_paths(text: str) -> tuple[Path, ...]:
    """The folders of `PELLUCID_BUNDLES`, which are separated by ':'."""
    return tuple(Path(part) for part in text.split(os.pathsep) if part)


def folders_at(path: Path) -> list[Path]:
    """Folders of the bundles at a path: its own, else those directly below, sorted.

    Folders with a name that starts with a dot are none: an unfinished installation has such a
    name.

    Raises:
        OSError: The folder cannot be read.
    """
    if is_bundle(path):
        return [path]
    if not path.is_dir():
        return []
    return [p for p in sorted(path.iterdir()) if not p.name.startswith(".") and is_bundle(p)]


def bundle_folders(paths: Iterable[Path]) -> list[Path]:
    """Every bundle folder of `paths` once, in the order given.

    Raises:
        OSError: A folder cannot be read.
    """
    folders = (folder.resolve() for path in paths for folder in folders_at(path))
    return list(dict.fromkeys(folders))


def is_bundle(folder: Path) -> bool:
    """Whether a folder has a manifest."""
    return (folder / MANIFEST_NAME).exists()
