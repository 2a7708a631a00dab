"""Documents that the reference libraries have written, and read again after a translation."""

import pytest

from tests.service.documents.readers.office.checks import check_document
from tests.service.documents.readers.office.made_files import LIBRARY_FILES

for module in ("docx", "pptx", "openpyxl", "xlsxwriter", "odf", "ebooklib"):
    pytest.importorskip(module, reason=f"{module} is not installed: it makes the documents")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
FILES = [(suffix, name) for suffix, files in LIBRARY_FILES.items() for name in files]


@pytest.mark.parametrize(("suffix", "name"), FILES)
def test_every_text_is_translated_once_and_nothing_else_changes(suffix: str, name: str) -> None:
    check_document(suffix, LIBRARY_FILES[suffix][name]())
