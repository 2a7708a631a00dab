"""Files of the small formats and PDF by other programs, translated and read again by libraries.

`make office` runs this; gettext, LibreOffice and Chromium come from the distribution.
"""

import re
from pathlib import Path

import pytest

from service.documents.errors import DocumentError
from service.documents.formats import read_document
from tests.service.documents.readers.office.capitals import CLOSE, OPEN, translated
from tests.service.documents.readers.programs.foreign import capitals_of, outcome_of
from tests.service.documents.readers.programs.made_pdf_files import (
    PDF_FILES,
    PROSE,
    missing_programs,
)
from tests.service.documents.readers.programs.made_small import SMALL_FILES, TEXTS
from tests.service.documents.readers.programs.read_small import READERS

_LIBRARIES = (
    "babel", "devXliff", "docx", "dotstrings", "fpdf", "javaproperties", "jproperties", "pypdfium2",
    "pysrt", "pysubs2", "reportlab", "ruamel.yaml", "tablib", "translate", "weasyprint", "webvtt",
)  # fmt: skip
for module in _LIBRARIES:
    pytest.importorskip(module, reason=f"{module} is not installed: it makes or reads the files")

pytestmark = [
    pytest.mark.skipif(
        bool(missing_programs()), reason=f"not installed: {', '.join(missing_programs())}"
    ),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning"),
]


@pytest.mark.parametrize(
    ("suffix", "program"), [(suffix, name) for suffix, made in SMALL_FILES.items() for name in made]
)
def test_every_text_is_translated_once_and_nothing_else_changes(suffix: str, program: str) -> None:
    for name, texts in TEXTS.items():
        data = SMALL_FILES[suffix][program](texts)
        written = capitals_of(f"a{suffix}", data)
        assert written is not None, name
        before, rest = READERS[suffix](data)
        after, rest_after = READERS[suffix](written)
        assert rest_after == rest, name
        assert len(after) == len(before) >= len(texts), name
        for old, new in zip(before, after, strict=True):
            assert new.count(OPEN) >= 1, (name, new)
            assert _bare(new) == _bare(old).upper(), (name, old, new)


def test_there_are_ten_files_of_each_format() -> None:
    counts = {suffix: len(made) * len(TEXTS) for suffix, made in SMALL_FILES.items()}
    counts[".xlf"] += counts.pop(".xliff")
    assert all(count >= 10 for count in counts.values()), counts
    assert len(PDF_FILES) * len(PROSE) >= 10


@pytest.mark.parametrize("program", PDF_FILES)
def test_every_paragraph_of_a_pdf_is_one_text(program: str, tmp_path: Path) -> None:
    for name, texts in PROSE.items():
        document = read_document("a.pdf", PDF_FILES[program](tmp_path, texts))
        given = [translated(string.text, string.format) for string in document.strings]
        page = document.write(given, "de").decode()
        body = page.partition("<body>")[2] or page
        for text in texts:
            wanted = f"{OPEN}{' '.join(text.split()).upper()}{CLOSE}"
            assert body.count(f">{wanted}<") >= 1, (name, wanted, body)


def _bare(text: str) -> str:
    return re.sub(rf"[{OPEN}{CLOSE}\s]+", "", text)


def test_a_file_that_differs_is_found() -> None:
    """The check itself: a broken file is refused, and lost text is no success."""
    assert outcome_of("a.vtt", b"no subtitles")[0] == "refused"
    assert outcome_of("a.csv", b"1,2\n3,4\n")[0] == "nothing to translate"
    with pytest.raises(DocumentError):
        capitals_of("a.xlf", b"<xliff")
