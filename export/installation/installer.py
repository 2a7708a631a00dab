"""Installs a model: download, check, unpack, import, verify, put in its place."""

import hashlib
import re
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

from export.errors import InstallError
from export.importers.importer import import_bundle
from export.importers.kinds import default_precision
from export.importers.options import ImportOptions
from export.installation.installed import (
    STAGING_PREFIX,
    check_place,
    has_files,
    installed_bundles,
    publish,
    tidy,
)
from export.installation.lock import installation_lock
from export.installation.offers import Offer, RemoteFile
from export.installation.settings import InstallSettings
from export.installation.transfer import Transfers
from export.installation.unpacking import unpack

_DOWNLOADS = ".downloads"
"""Folder beside the bundles, so that a download that was broken off is found again."""


class Installer:
    """Installs models into one folder."""

    def __init__(self, settings: InstallSettings, transfers: Transfers, folder: Path) -> None:
        self._settings = settings
        self._transfers = transfers
        self._folder = folder

    def place(self, offer: Offer) -> Path:
        """The folder of the bundle: one model per pair."""
        return self._folder / str(offer.pair)

    def is_installed(self, offer: Offer) -> bool:
        """Whether the bundle in its place was made of the very files of this model."""
        digests = [file.unpacked_digest or file.digest for file in offer.files]
        known = [digest.value for digest in digests if digest is not None]
        return len(known) == len(offer.files) and has_files(self.place(offer), known)

    def install(self, offer: Offer) -> Path:
        """Install a model; returns its folder, where an older bundle stays until it is complete.

        Raises:
            InstallError: It cannot be downloaded or stored, or another installation is at work.
            ExportError: Its files cannot be imported, or the bundle did not pass.
            OSError: The disk is full, or a folder cannot be written.
        """
        _check_packages(offer)
        place = self.place(offer)
        with installation_lock(self._folder):
            tidy(self._folder)
            bundles = installed_bundles((self._folder, *self._settings.paths))
            check_place(bundles, str(offer.pair), place)
            downloads = self._downloads(offer)
            for file in offer.files:
                self._transfers.download(file, downloads / _stored_name(file))
            with tempfile.TemporaryDirectory(prefix=STAGING_PREFIX, dir=self._folder) as staging:
                publish(_imported(offer, downloads, Path(staging), place.name), place)
            shutil.rmtree(downloads, ignore_errors=True)
        return place

    def _downloads(self, offer: Offer) -> Path:
        """Folder of this model's downloads; those of other versions of it are removed."""
        key = hashlib.sha256("\n".join(file.url for file in offer.files).encode()).hexdigest()
        prefix = f"{offer.origin}-{offer.pair}-"
        folder = self._folder / _DOWNLOADS / f"{prefix}{key[:12]}"
        for other in folder.parent.glob(f"{prefix}{'[0-9a-f]' * 12}"):
            if other != folder:
                shutil.rmtree(other)
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _check_packages(offer: Offer) -> None:
    """Refuse before the download what could not be read after it.

    Raises:
        InstallError: A package is missing.
    """
    for file in offer.files:
        if file.packing == "zstd" and not _is_installed("zstandard"):
            raise InstallError(
                f"{file.name} is packed with Zstandard: in a checkout, pip install '.[import]'"
            )
        if file.name == "pytorch_model.bin" and not _is_installed("torch"):
            raise InstallError(
                f"{offer.model} is a pickle, which takes torch: in a checkout, "
                "pip install '.[train,import]', or take another source with --from"
            )


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def _imported(offer: Offer, downloads: Path, staging: Path, name: str) -> Path:
    """Unpack and import into `staging`; returns the verified bundle there."""
    model = staging / _folder_name(offer)
    model.mkdir()
    for file in offer.files:
        packed = downloads / _stored_name(file)
        try:
            unpack(file, packed, model)
        except InstallError:
            packed.unlink()  # the next attempt starts anew
            raise
    out = staging / name
    import_bundle(
        ImportOptions(
            kind=offer.kind,
            path=model,
            out=out,
            name=f"{name}-{offer.origin}",  # in metrics, beside an embedded one of the same pair
            precision=default_precision(offer.kind),
            sources=(offer.pair.source,),
            targets=(offer.pair.target,),
            licence=offer.licence,
        )
    )
    return out


def _folder_name(offer: Offer) -> str:
    """Name of the model in the bundle's record of where it comes from."""
    parts = (offer.origin, offer.model, offer.version)
    return re.sub(r"[^\w.-]+", "-", "-".join(parts))


def _stored_name(file: RemoteFile) -> str:
    """Name of a file as it is downloaded; a packed one is not mistaken for its content."""
    return f"{file.name}.{file.packing}" if file.packing else file.name


def describe_disk(folder: Path) -> str:
    """What to do where the disk is full."""
    return (
        f"the disk of {folder} is full: make room and run the same command again, which goes on "
        "where this one ended"
    )
