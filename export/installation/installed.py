"""Bundles that are installed: listed, removed, and put in the place of older ones."""

import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from bundle.folders import bundle_folders, is_bundle, is_embedded, yields
from bundle.manifest import MANIFEST_NAME, Manifest
from bundle.tensors import MODEL_CARD_NAME
from export.errors import InstallError
from export.installation.lock import installation_lock

STAGING_PREFIX = ".install-"
_REPLACED, _REMOVED = ".replaced", ".removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledBundle:
    """A bundle on the disk; its files are not verified here."""

    folder: Path
    manifest: Manifest | None
    """None: it cannot be read."""

    @property
    def name(self) -> str:
        """Name as `pellucid remove` takes it."""
        return self.folder.name

    @property
    def names(self) -> tuple[str, ...]:
        """Its folder's, and the one that metrics and `/models` have."""
        return (self.name, self.manifest.name) if self.manifest else (self.name,)

    @property
    def size_bytes(self) -> int:
        """Size of its files."""
        return sum(path.stat().st_size for path in self.folder.iterdir() if path.is_file())

    @property
    def pairs(self) -> tuple[str, ...]:
        """Directions, as in `en-pt`."""
        pairs = self.manifest.pairs if self.manifest else ()
        return tuple(f"{pair.source}-{pair.target}" for pair in pairs)

    @property
    def licence(self) -> str:
        """Of the weights, else of what they were trained on."""
        if self.manifest is None:
            return "-"
        foreign = self.manifest.provenance.foreign
        if foreign is not None:
            return foreign.licence or "not stated"
        licences = dict.fromkeys(data.licence for data in self.manifest.provenance.data)
        return ", ".join(licences) if len(licences) == 1 else f"see {MODEL_CARD_NAME}"

    @property
    def quality(self) -> str:
        """The last score that the manifest has of each direction."""
        reports = self.manifest.quality if self.manifest else ()
        scores = {str(r.pair): f"{r.pair} BLEU {r.bleu}" for r in reports if not r.with_shortlist}
        return ", ".join(scores.values()) or "not measured"


def installed_bundles(paths: Iterable[Path]) -> list[InstalledBundle]:
    """Bundles at these paths, in the order in which they are looked for.

    Raises:
        OSError: A folder cannot be read.
    """
    return [
        InstalledBundle(folder=folder, manifest=_manifest(folder))
        for folder in bundle_folders(paths)
    ]


def check_place(bundles: Sequence[InstalledBundle], pair: str, place: Path) -> None:
    """Refuse a second model of a pair: the service would not know which to take.

    Refuses also to put it where something else is, which would be removed.

    Raises:
        InstallError: Another bundle, which did not come with the program, translates it, or its
            place has files that are no bundle.
    """
    if place.exists() and not (is_bundle(place) or _is_empty(place)):
        raise InstallError(
            f"{place} is no bundle, and is not replaced: move it, or name another folder with "
            "--into"
        )
    for bundle in bundles:
        is_other = bundle.folder != place.resolve() and not yields(bundle.folder, place)
        if is_other and pair in bundle.pairs:
            raise InstallError(
                f"{bundle.folder} translates {pair}: `pellucid remove {bundle.name}` before another"
            )


def has_files(bundle_folder: Path, digests: Iterable[str]) -> bool:
    """Whether a bundle was made of files with exactly these digests."""
    manifest = _manifest(bundle_folder)
    foreign = manifest.provenance.foreign if manifest else None
    return foreign is not None and set(foreign.files.values()) == set(digests)


def remove_bundle(bundles: Sequence[InstalledBundle], name: str) -> Path:
    """Remove a bundle; returns where it was.

    Raises:
        InstallError: There is none of this name, or it came with the program.
    """
    found = [bundle for bundle in bundles if name in bundle.names]
    if not found:
        known = ", ".join(bundle.name for bundle in bundles if not is_embedded(bundle.folder))
        raise InstallError(f"no bundle {name!r} is installed; there are: {known or 'none'}")
    removable = [bundle.folder for bundle in found if not is_embedded(bundle.folder)]
    if not removable:
        raise InstallError(f"{name} came with the program: it is not removed")
    folder = removable[0]
    with installation_lock(folder.parent):
        hidden = _hidden(folder, _REMOVED)
        folder.rename(hidden)  # one step: no half of a bundle is ever found
        shutil.rmtree(hidden)
    return folder


def publish(staged: Path, place: Path) -> None:
    """Put a finished bundle in its place; an older one is removed once the new one is there."""
    old = _hidden(place, _REPLACED)
    if place.exists():
        place.rename(old)
    try:
        staged.rename(place)
    except OSError:
        if old.exists():
            old.rename(place)
        raise
    with suppress(OSError):
        _discard(old)


def tidy(folder: Path) -> None:
    """Undo what a process that was killed has left; call it with the lock of the folder."""
    for old in folder.glob(f".*{_REPLACED}"):
        place = folder / old.name[1 : -len(_REPLACED)]
        if place.exists():
            _discard(old)
        else:
            old.rename(place)
    for left in (*folder.glob(f".*{_REMOVED}"), *folder.glob(f"{STAGING_PREFIX}*")):
        shutil.rmtree(left)


def _discard(folder: Path) -> None:
    """Remove a folder; of a link to one, which may have a place of its own, the link."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def _is_empty(place: Path) -> bool:
    return place.is_dir() and not any(place.iterdir())


def _hidden(folder: Path, suffix: str) -> Path:
    return folder.with_name(f".{folder.name}{suffix}")


def _manifest(folder: Path) -> Manifest | None:
    try:
        return Manifest.model_validate_json((folder / MANIFEST_NAME).read_bytes())
    except (OSError, ValidationError):
        return None
