"""PDF of known paragraphs, by the libraries and programs that write them."""

import html
import io
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.service.documents.readers.office.made_files import converted_by_libreoffice

Make = Callable[[Path, Sequence[str]], bytes]
PROSE: Mapping[str, Sequence[str]] = {
    "short": ("The first chapter", "The river rose in the night.", "People went to the bridge."),
    "long": (
        "The second chapter",
        "By the morning the water stood in the streets of the town, and people carried their "
        "chairs and tables up the stairs. The school was closed for two days, and on the third "
        "day the sun came out again. " * 2,
        "The children went to look at the bridge, which was still there.",
    ),
}
"""A heading, and paragraphs."""
_A4 = 595, 842


def of_reportlab(_: Path, texts: Sequence[str]) -> bytes:
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import Paragraph, SimpleDocTemplate

    styles, stream = getSampleStyleSheet(), io.BytesIO()
    heading, *paragraphs = texts
    story = [Paragraph(heading, styles["Heading1"])]
    story += [Paragraph(text, styles["BodyText"]) for text in paragraphs]
    SimpleDocTemplate(stream, pagesize=_A4).build(story)
    return stream.getvalue()


def of_fpdf(_: Path, texts: Sequence[str]) -> bytes:
    from fpdf import FPDF

    document = FPDF()
    document.add_page()
    heading, *paragraphs = texts
    document.set_font("Helvetica", "B", 20)
    document.multi_cell(0, 12, heading, new_x="LMARGIN", new_y="NEXT")
    document.set_font("Helvetica", "", 11)
    for text in paragraphs:
        document.multi_cell(0, 6, text, align="L", new_x="LMARGIN", new_y="NEXT")
        document.ln(4)
    return bytes(document.output())


def _page(texts: Sequence[str]) -> str:
    heading, *paragraphs = map(html.escape, texts)
    return f"<h1>{heading}</h1>{''.join(f'<p>{text}</p>' for text in paragraphs)}"


def of_weasyprint(_: Path, texts: Sequence[str]) -> bytes:
    from weasyprint import HTML

    data: bytes = HTML(string=_page(texts)).write_pdf()
    return data


def of_chromium(folder: Path, texts: Sequence[str]) -> bytes:
    page, written = folder / "page.html", folder / "page.pdf"
    page.write_text(f"<meta charset=utf-8>{_page(texts)}", encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}"]
    command = ["chromium", *flags, "--no-pdf-header-footer", f"--print-to-pdf={written}", str(page)]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    return written.read_bytes()


def of_libreoffice(folder: Path, texts: Sequence[str]) -> bytes:
    from docx import Document

    heading, *paragraphs = texts
    document = Document()
    document.add_heading(heading)
    for text in paragraphs:
        document.add_paragraph(text)
    path = folder / "page.docx"
    document.save(str(path))
    return converted_by_libreoffice([path], "pdf", folder)[0].read_bytes()


PDF_FILES: Mapping[str, Make] = {
    "ReportLab": of_reportlab,
    "fpdf2": of_fpdf,
    "WeasyPrint": of_weasyprint,
    "Chromium": of_chromium,
    "LibreOffice": of_libreoffice,
}


def missing_programs() -> list[str]:
    """Those that are not installed."""
    return [
        name for name in ("chromium", "msgcat", "pandoc", "soffice") if shutil.which(name) is None
    ]
