"""Documents of pandoc and LibreOffice; what was translated opens in LibreOffice again.

`make office` runs this; both programs come from the distribution.
"""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.service.documents.readers.office.checks import check_document
from tests.service.documents.readers.office.made_files import (
    LIBRARY_FILES,
    converted_by_libreoffice,
    has_programs,
    made_by_pandoc,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not has_programs(), reason="pandoc or soffice is not installed"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]
OTHER: Mapping[str, tuple[str, ...]] = {
    ".docx": ("odt", "epub"),
    ".odt": ("docx", "epub"),
    ".pptx": ("odp",),
    ".odp": ("pptx",),
    ".xlsx": ("ods",),
    ".ods": ("xlsx",),
}
"""What LibreOffice makes of a format."""


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files of libraries and of pandoc, and what LibreOffice makes of them."""
    for module in ("docx", "pptx", "openpyxl", "xlsxwriter", "odf", "ebooklib"):
        pytest.importorskip(module, reason=f"{module} is not installed: it makes the documents")
    folder = tmp_path_factory.mktemp("made")
    files = [*made_by_pandoc(folder)]
    for suffix, makers in LIBRARY_FILES.items():
        for name, make in makers.items():
            files.append(folder / f"{name.replace(' ', '-')}{suffix}")
            files[-1].write_bytes(make())
    return files


@pytest.fixture(scope="module")
def converted(originals: list[Path], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What LibreOffice makes of the files, in their own format and in others."""
    written: list[Path] = []
    for suffix, others in OTHER.items():
        paths = [path for path in originals if path.suffix == suffix]
        for kind in (*others, suffix[1:]):
            folder = tmp_path_factory.mktemp(f"from{suffix}")
            written += converted_by_libreoffice(paths, kind, folder)
    return written


@pytest.fixture(scope="module")
def translations(
    originals: list[Path], converted: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> list[Path]:
    """Each file translated, and checked with the reference library."""
    folder = tmp_path_factory.mktemp("translated")
    written = []
    for number, path in enumerate([*originals, *converted]):
        print(path.parent.name, path.name)
        written.append(folder / f"{number}-{path.name}")
        written[-1].write_bytes(check_document(path.suffix, path.read_bytes()))
    return written


def test_every_text_is_translated_once_and_nothing_else_changes(translations: list[Path]) -> None:
    counts = {
        suffix: sum(path.suffix == suffix for path in translations) for suffix in LIBRARY_FILES
    }
    print(counts)
    assert all(counts[suffix] >= 10 for suffix in counts), counts


def test_libreoffice_opens_every_translation(translations: list[Path], tmp_path: Path) -> None:
    paths = [path for path in translations if path.suffix != ".epub"]
    for path in converted_by_libreoffice(paths, "pdf", tmp_path):
        assert path.read_bytes().startswith(b"%PDF-")
