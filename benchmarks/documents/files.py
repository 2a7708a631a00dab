"""Ten documents of each format that both translate, made by libraries and programs."""

import io
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.documents.office_content import read_office
from tests.service.documents.readers.office.made_files import (
    LIBRARY_FILES,
    Untyped,
    converted_by_libreoffice,
    made_by_pandoc,
    run_pandoc,
)

SUFFIXES = (".docx", ".pptx", ".odt", ".odp", ".epub", ".html", ".srt", ".txt", ".pdf")
FILES_PER_FORMAT = 10
_PAGE = 595, 842
_SPEECH = (
    ("Good morning, and welcome\nto the garden show.",),
    ("Today we talk about roses,", "which grow in <i>every</i> garden."),
    ("- Do they need much water?\n- Only in summer.",),
    ("Thank you for watching.", "See you next week."),
)
_PROSE = (
    "The river rose in the night, and by the morning the water stood in the streets of the town.",
    "People carried their chairs and tables up the stairs. The school was closed for two days.",
    "On the third day the sun came out again, and the children went to look at the bridge.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A document that is translated."""

    path: Path
    maker: str
    """The program or library that wrote it."""
    paragraphs: tuple[str, ...] = ()
    """What was written, for a format that does not say so itself."""


def make_samples(folder: Path) -> list[Sample]:
    """Write all documents to a folder; each format has `FILES_PER_FORMAT` of them."""
    library = [*_from_libraries(folder), *_from_pandoc(folder)]
    converted = [*_from_libreoffice(library, folder)]
    samples = [*library, *converted, *_pages(folder), *_subtitles(folder), *_texts(folder)]
    samples += _pdf(folder, library)
    chosen = [sample for suffix in SUFFIXES for sample in _first(samples, suffix)]
    counts = {suffix: len(_first(samples, suffix)) for suffix in SUFFIXES}
    assert all(count == FILES_PER_FORMAT for count in counts.values()), counts
    return chosen


def _first(samples: Sequence[Sample], suffix: str) -> list[Sample]:
    return [sample for sample in samples if sample.path.suffix == suffix][:FILES_PER_FORMAT]


_LIBRARIES: Mapping[str, str] = {
    ".docx": "python-docx", ".pptx": "python-pptx", ".odt": "odfpy", ".odp": "odfpy",
    ".epub": "ebooklib",
}  # fmt: skip


def _from_libraries(folder: Path) -> Iterator[Sample]:
    for suffix, maker in _LIBRARIES.items():
        for name, make in LIBRARY_FILES[suffix].items():
            path = folder / f"{name}-{maker}{suffix}"
            path.write_bytes(make())
            yield Sample(path=path, maker=maker)


def _from_pandoc(folder: Path) -> Iterator[Sample]:
    for path in made_by_pandoc(folder):
        yield Sample(path=path, maker="pandoc")


def _from_libreoffice(samples: Sequence[Sample], folder: Path) -> Iterator[Sample]:
    """Documents of each format as LibreOffice writes them, from its own and another format."""
    for kind, source in (
        ("docx", ".odt"), ("odt", ".docx"), ("pptx", ".odp"), ("pptx", ".pptx"), ("odp", ".odp"),
        ("odp", ".pptx"), ("epub", ".docx"),
    ):  # fmt: skip
        paths = [sample.path for sample in samples if sample.path.suffix == source]
        below = folder / f"{source[1:]}-to-{kind}"
        below.mkdir()
        for path in converted_by_libreoffice(paths, kind, below):
            yield Sample(path=path, maker="LibreOffice")


def _pages(folder: Path) -> Iterator[Sample]:
    for kind in ("html", "slidy"):
        for path in run_pandoc(folder, kind, "--standalone", suffix=f"-{kind}.html"):
            yield Sample(path=path, maker=f"pandoc ({kind})")
    texts = [folder / f"{name}-python-docx.docx" for name in ("text", "tables", "headers")]
    for kind in ("html", "html:XHTML Writer File"):
        below = folder / f"html-{len(kind)}"
        below.mkdir()
        for path in converted_by_libreoffice(texts, kind, below):
            yield Sample(path=path, maker=f"LibreOffice ({kind.partition(':')[2] or kind})")


def _subtitles(folder: Path) -> Iterator[Sample]:
    import pysubs2
    import srt

    cues = [text for group in _SPEECH for text in group]
    for number in range(FILES_PER_FORMAT):
        path = folder / f"subtitles-{number}.srt"
        used = [*cues[number % 3 :], f"This is line number {number}."]
        if number % 2:
            subtitles = pysubs2.SSAFile()
            for at, text in enumerate(used):
                subtitles.append(pysubs2.SSAEvent(at * 3000, at * 3000 + 2500, text=text.replace(
                    "\n", "\\N").replace("<i>", "{\\i1}").replace("</i>", "{\\i0}")))  # fmt: skip
            path.write_bytes(subtitles.to_string("srt").encode("utf-8"))
        else:
            made = srt.compose(_srt_cues(used))
            end, mark = ("\r\n", "utf-8-sig") if number % 4 else ("\n", "utf-8")
            path.write_bytes(made.replace("\n", end).encode(mark))
        yield Sample(path=path, maker="pysubs2" if number % 2 else "srt")


def _srt_cues(texts: Sequence[str]) -> Iterator[Untyped]:
    from datetime import timedelta

    import srt

    for number, text in enumerate(texts):
        start = timedelta(seconds=3 * number)
        yield srt.Subtitle(number + 1, start, start + timedelta(seconds=2.5), text)


def _texts(folder: Path) -> Iterator[Sample]:
    for path in run_pandoc(folder, "plain", "--wrap=none", suffix=".txt"):
        yield Sample(path=path, maker="pandoc")
    texts = [path for path in sorted(folder.glob("*.docx")) if "pandoc" not in path.name]
    texts += sorted(folder.glob("*.odt"))
    below = folder / "text"
    below.mkdir()
    for path in converted_by_libreoffice(texts, "txt:Text (encoded):UTF8", below):
        yield Sample(path=path, maker="LibreOffice")


def _pdf(folder: Path, samples: Sequence[Sample]) -> Iterator[Sample]:
    """PDF of LibreOffice, ReportLab and fpdf2; what was written into them is known."""
    names = ["text-python-docx", "tables-python-docx", "headers-python-docx", "notes-odfpy"]
    names += ["pandoc-article", "pictures-python-docx"]
    by_name = {sample.path.stem: sample for sample in reversed(samples)}
    sources = [by_name[name] for name in names]
    below = folder / "pdf"
    below.mkdir()
    written = converted_by_libreoffice([sample.path for sample in sources], "pdf", below)
    for sample, path in zip(sources, written, strict=True):
        texts = read_office(sample.path.read_bytes()).texts
        known = (*texts.get("body", ()), *texts.get("cells", ()))
        yield Sample(path=path, maker="LibreOffice", paragraphs=known)
    makers: Mapping[str, Callable[[int], bytes]] = {"ReportLab": _reportlab, "fpdf2": _fpdf}
    for number in range(2):
        for maker, make in makers.items():
            path = folder / f"{maker}-{number}.pdf"
            path.write_bytes(make(number))
            yield Sample(path=path, maker=maker, paragraphs=_known(number))


def _known(number: int) -> tuple[str, ...]:
    return (f"Chapter {number + 1}", *_PROSE[number:], " ".join(_PROSE))


def _reportlab(number: int) -> bytes:
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import Paragraph, SimpleDocTemplate

    styles = getSampleStyleSheet()
    stream = io.BytesIO()
    heading, *texts = _known(number)
    story = [Paragraph(heading, styles["Heading1"])]
    story += [Paragraph(text, styles["BodyText"]) for text in texts]
    SimpleDocTemplate(stream, pagesize=_PAGE).build(story)
    return stream.getvalue()


def _fpdf(number: int) -> bytes:
    from fpdf import FPDF

    document = FPDF()
    document.add_page()
    heading, *texts = _known(number)
    document.set_font("Helvetica", "B", 20)
    document.multi_cell(0, 12, heading, new_x="LMARGIN", new_y="NEXT")
    document.set_font("Helvetica", "", 11)
    for text in texts:
        document.multi_cell(0, 6, text, align="L", new_x="LMARGIN", new_y="NEXT")
        document.ln(4)
    return bytes(document.output())


def program_versions() -> dict[str, str]:
    """What the programs say of themselves."""
    return {
        name: subprocess.run([name, "--version"], capture_output=True, text=True, check=True)
        .stdout.splitlines()[0].strip()
        for name in ("pandoc", "soffice")
    }  # fmt: skip
