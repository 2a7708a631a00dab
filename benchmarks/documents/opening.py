"""Whether the libraries and programs that people use open a document."""

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.documents.kept import Kept
from tests.service.documents.readers.office.reference_texts import TEXTS

_OFFICE = (".docx", ".pptx", ".odt", ".odp")


def opened(folder: Path) -> list[tuple[str, Kept]]:
    """For each office document and book of a folder whether library and LibreOffice open it."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.suffix in TEXTS:
            kept = int(_is_read(path))
            found.append((path.suffix, Kept(name="opened by its library", asked=1, kept=kept)))
    return [*found, *_opened_by_libreoffice(folder)]


def _is_read(path: Path) -> bool:
    try:
        return bool([*TEXTS[path.suffix](path.read_bytes())])
    except Exception as error:  # noqa: BLE001 - a file that cannot be read is a result
        print(f"{path.name}: {type(error).__name__}: {error}", file=sys.stderr)
        return False


def _opened_by_libreoffice(folder: Path) -> list[tuple[str, Kept]]:
    paths = [path for path in sorted(folder.iterdir()) if path.suffix in _OFFICE]
    if not paths:
        return []
    with tempfile.TemporaryDirectory() as name:
        profile = f"-env:UserInstallation=file://{name}/profile"
        command = ["soffice", profile, "--headless", "--convert-to", "pdf", "--outdir", name]
        subprocess.run([*command, *map(str, paths)], check=False, capture_output=True)
        return [
            (path.suffix, Kept(
                name="opened by LibreOffice", asked=1,
                kept=int((Path(name) / f"{path.stem}.pdf").exists()),
            ))
            for path in paths
        ]  # fmt: skip
