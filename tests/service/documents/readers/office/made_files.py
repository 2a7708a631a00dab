"""Documents made by the libraries and programs that people use, as bytes by name."""

import io
import shutil
import subprocess
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from struct import pack
from typing import Any, TypeAlias

Untyped: TypeAlias = Any
"""What the libraries make: they ship no types."""
Make = Callable[[], bytes]
WORDS = "The quick brown fox jumps over the lazy dog"


def picture() -> io.BytesIO:
    """A PNG of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))

    header = pack(">2I5B", 1, 1, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"\0\xff\0\0"))
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b""))


def _saved(document: Untyped) -> bytes:
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def docx_of_text() -> bytes:
    from docx import Document

    document = Document()
    document.add_heading("A report about foxes", 0)
    for number in range(3):
        document.add_heading(f"Chapter {number} & more", 1)
        paragraph = document.add_paragraph(f"{WORDS}, number {number}. ")
        paragraph.add_run("It is bold").bold = True
        paragraph.add_run(" and ")
        paragraph.add_run("slanted").italic = True
        paragraph.add_run(" <at> last.")
        document.add_paragraph("A point of a list", style="List Bullet")
    document.add_page_break()
    document.core_properties.title = "Foxes and dogs"
    document.core_properties.language = "en-GB"
    return _saved(document)


def docx_of_tables() -> bytes:
    from docx import Document

    document = Document()
    table = document.add_table(rows=3, cols=2, style="Light Grid Accent 1")
    for number, cell in enumerate(cell for row in table.rows for cell in row.cells):
        cell.text = f"Cell {number}"
    table.cell(0, 0).add_paragraph("Second paragraph of a cell")
    table.cell(1, 1).add_table(1, 1).cell(0, 0).text = "A table in a table"
    document.add_paragraph("Behind the table\twith a tab\nand a line break")
    return _saved(document)


def docx_of_headers() -> bytes:
    from docx import Document
    from docx.enum.section import WD_SECTION

    document = Document()
    section = document.sections[0]
    section.header.paragraphs[0].text = "The header\tof the page"
    section.footer.paragraphs[0].text = "The footer"
    section.different_first_page_header_footer = True
    section.first_page_header.paragraphs[0].text = "The first header"
    document.add_paragraph("Text of the first section")
    document.add_section(WD_SECTION.NEW_PAGE).header.is_linked_to_previous = False
    document.sections[1].header.paragraphs[0].text = "Another header"
    document.add_paragraph("Text of the second section")
    return _saved(document)


def docx_of_pictures() -> bytes:
    from docx import Document

    document = Document()
    paragraph = document.add_paragraph("Before the picture ")
    paragraph.add_run().add_picture(picture())
    paragraph.add_run(" and behind it")
    document.add_picture(picture())
    commented = document.add_paragraph("Some words have ")
    run = commented.add_run("a comment")
    commented.add_run(" beside them.")
    document.add_comment(run, text="This must be checked", author="A", initials="A")
    return _saved(document)


def pptx_of_text() -> bytes:
    from pptx import Presentation

    deck = Presentation()
    for number in range(3):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = f"Slide number {number}"
        frame = slide.placeholders[1].text_frame
        frame.text = "The first point"
        point = frame.add_paragraph()
        point.level = 1
        point.add_run().text = "A point "
        bold = point.add_run()
        bold.text, bold.font.bold = "in bold", True
        slide.notes_slide.notes_text_frame.text = f"Say something about {number}"
    deck.core_properties.title = "Three slides"
    return _saved(deck)


def pptx_of_tables() -> bytes:
    from pptx import Presentation
    from pptx.util import Inches

    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = "A table"
    size = [Inches(1)] * 4
    table = slide.shapes.add_table(2, 2, *size).table
    for number, cell in enumerate(table.iter_cells()):
        cell.text = f"Cell {number}"
    slide.shapes.add_picture(picture(), *size).name = "Picture"
    slide.shapes[-1]._element.nvPicPr.cNvPr.set("descr", "A red square")
    return _saved(deck)


def pptx_of_charts() -> bytes:
    from pptx import Presentation
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE
    from pptx.util import Inches

    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    data = CategoryChartData()
    data.categories = ["East", "West"]
    data.add_series("Sales", (1, 2))
    size = [Inches(1)] * 4
    chart = slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *size, data).chart
    chart.has_title = True
    chart.chart_title.text_frame.text = "Sales of the year"
    return _saved(deck)


def pptx_of_groups() -> bytes:
    from pptx import Presentation
    from pptx.enum.shapes import MSO_SHAPE
    from pptx.util import Inches

    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    size = [Inches(1)] * 4
    group = slide.shapes.add_group_shape()
    group.shapes.add_shape(MSO_SHAPE.RECTANGLE, *size).text_frame.text = "Within a group"
    inner = group.shapes.add_group_shape()
    inner.shapes.add_textbox(*size).text_frame.text = "Within a group of a group"
    link = slide.shapes.add_textbox(*size).text_frame.paragraphs[0]
    link.add_run().text = "Read "
    run = link.add_run()
    run.text, run.hyperlink.address = "the page", "https://example.org/"
    link.add_line_break()
    link.add_run().text = "on the next line"
    return _saved(deck)


def xlsx_of_cells() -> bytes:
    from openpyxl import Workbook
    from openpyxl.comments import Comment

    book = Workbook()
    sheet = book.active
    sheet.append(["Name of the thing", "Price", "Sum"])
    sheet.append(["Apple & pear", 2.5, "=B2*2"])
    sheet.append(["Two\nlines", 7, '=IF(B3>1,"much","little")'])
    sheet["A2"].comment = Comment("This is fresh", "A")
    sheet.oddHeader.center.text = "Prices of &D"
    sheet.oddFooter.left.text = "Page &P of &N"
    book.create_sheet("Second sheet").append(["Apple & pear", "Another text", True])
    book.properties.title = "A list of prices"
    return _saved(book)


def xlsx_of_rich_text() -> bytes:
    from openpyxl import Workbook
    from openpyxl.cell.rich_text import CellRichText, TextBlock
    from openpyxl.cell.text import InlineFont

    book = Workbook()
    bold = TextBlock(InlineFont(b=True), "bold words")
    book.active["A1"] = CellRichText("Some ", bold, " in a cell")
    book.active["A2"] = "  spaces around  "
    return _saved(book)


def xlsx_of_tables() -> bytes:
    from openpyxl import Workbook
    from openpyxl.worksheet.datavalidation import DataValidation
    from openpyxl.worksheet.table import Table

    book = Workbook()
    sheet = book.active
    for row in (["Fruit", "Number"], ["Apples are red", 3], ["Pears are green", 4]):
        sheet.append(row)
    sheet.add_table(Table(displayName="Fruits", ref="A1:B3"))
    validation = DataValidation(type="whole", operator="greaterThan", formula1="1")
    validation.prompt, validation.error = "Enter a number", "Too small"
    sheet.add_data_validation(validation)
    validation.add("B2")
    return _saved(book)


def _written_xlsx(write: Callable[[Untyped, Untyped], None], **options: bool) -> bytes:
    from xlsxwriter import Workbook

    stream = io.BytesIO()
    with Workbook(stream, {"in_memory": True, **options}) as book:
        write(book, book.add_worksheet("Data"))
    return stream.getvalue()


def xlsx_of_writer() -> bytes:
    def write(book: Untyped, sheet: Untyped) -> None:
        bold = book.add_format({"bold": True})
        sheet.write_rich_string("A1", "This is ", bold, "very bold", " text")
        sheet.write("A2", "Plain text")
        sheet.write_formula("A3", '="Hello " & "there"', None, "Hello there")
        sheet.write_url("A4", "https://example.org/", string="A link to follow")
        sheet.write_comment("A2", "A comment of the writer")
        sheet.insert_textbox("D4", "Text of a box")
        sheet.insert_image("F8", "a.png", {"image_data": picture(), "description": "A red dot"})

    return _written_xlsx(write)


def xlsx_of_inline_strings() -> bytes:
    def write(_: Untyped, sheet: Untyped) -> None:
        for row in range(20):
            sheet.write(row, 0, f"Row number {row}")

    return _written_xlsx(write, constant_memory=True)


def xlsx_of_charts() -> bytes:
    def write(book: Untyped, sheet: Untyped) -> None:
        sheet.write_column("A1", [1, 2, 3])
        chart = book.add_chart({"type": "line"})
        chart.add_series({"values": "=Data!$A$1:$A$3", "name": "Growth"})
        chart.set_title({"name": "The growth of trees"})
        chart.set_x_axis({"name": "Years that passed"})
        sheet.insert_chart("C3", chart)

    return _written_xlsx(write)


def odt_of_text() -> bytes:
    from odf import dc, style, text
    from odf.opendocument import OpenDocumentText

    document = OpenDocumentText()
    bold = style.Style(name="Bold", family="text")
    bold.addElement(style.TextProperties(fontweight="bold", language="en", country="US"))
    document.automaticstyles.addElement(bold)
    document.text.addElement(text.H(outlinelevel=1, text="A heading about foxes"))
    for number in range(3):
        paragraph = text.P(text=f"{WORDS} {number} ")
        paragraph.addElement(text.Span(stylename=bold, text="in bold"))
        paragraph.addText(" and not <bold> & co.")
        document.text.addElement(paragraph)
    document.meta.addElement(dc.Title(text="Foxes and dogs"))
    document.meta.addElement(dc.Language(text="en-US"))
    return _saved(document)


def odt_of_lists() -> bytes:
    from odf import table, text
    from odf.opendocument import OpenDocumentText

    document = OpenDocumentText()
    items = text.List()
    for number in range(3):
        item = text.ListItem()
        item.addElement(text.P(text=f"Item number {number}"))
        items.addElement(item)
    document.text.addElement(items)
    grid = table.Table(name="Grid")
    grid.addElement(table.TableColumn(numbercolumnsrepeated=2))
    row = table.TableRow()
    for number in range(2):
        cell = table.TableCell(valuetype="string")
        cell.addElement(text.P(text=f"Cell of column {number}"))
        row.addElement(cell)
    grid.addElement(row)
    document.text.addElement(grid)
    return _saved(document)


def odt_of_notes() -> bytes:
    from odf import text
    from odf.opendocument import OpenDocumentText

    document = OpenDocumentText()
    paragraph = text.P(text="A word")
    note = text.Note(noteclass="footnote")
    note.addElement(text.NoteCitation(text="1"))
    body = text.NoteBody()
    body.addElement(text.P(text="What the note says"))
    note.addElement(body)
    paragraph.addElement(note)
    paragraph.addText(" with a note, ")
    paragraph.addElement(text.A(href="https://example.org/", text="a link"))
    paragraph.addElement(text.LineBreak())
    paragraph.addText("and a")
    paragraph.addElement(text.S(c=3))
    paragraph.addText("wide space.")
    document.text.addElement(paragraph)
    return _saved(document)


def odp_of_slides() -> bytes:
    from odf import draw, style, text
    from odf.opendocument import OpenDocumentPresentation

    document = OpenDocumentPresentation()
    layout = style.PageLayout(name="Layout")
    document.automaticstyles.addElement(layout)
    master = style.MasterPage(name="Master", pagelayoutname=layout)
    document.masterstyles.addElement(master)
    for number in range(3):
        page = draw.Page(masterpagename=master)
        frame = draw.Frame(width="10cm", height="5cm")
        box = draw.TextBox()
        box.addElement(text.P(text=f"The words of slide {number}"))
        frame.addElement(box)
        page.addElement(frame)
        document.presentation.addElement(page)
    return _saved(document)


def odp_of_notes() -> bytes:
    from odf import draw, presentation, style, svg, text
    from odf.opendocument import OpenDocumentPresentation

    document = OpenDocumentPresentation()
    layout = style.PageLayout(name="Layout")
    document.automaticstyles.addElement(layout)
    master = style.MasterPage(name="Master", pagelayoutname=layout)
    document.masterstyles.addElement(master)
    page = draw.Page(masterpagename=master)
    frame = draw.Frame(width="10cm", height="5cm")
    frame.addElement(draw.Image(href=document.addPictureFromString(picture().read(), "image/png")))
    frame.addElement(svg.Desc(text="A red square"))
    page.addElement(frame)
    notes = presentation.Notes()
    box = draw.TextBox()
    box.addElement(text.P(text="Say this aloud"))
    below = draw.Frame(width="10cm", height="5cm")
    below.addElement(box)
    notes.addElement(below)
    page.addElement(notes)
    document.presentation.addElement(page)
    return _saved(document)


def ods_of_formulas() -> bytes:
    from odf import table, text
    from odf.opendocument import OpenDocumentSpreadsheet

    document = OpenDocumentSpreadsheet()
    sheet = table.Table(name="Sums")
    row = table.TableRow()
    for value, formula in (("Much of it", None), ("much", 'of:="m"&"uch"')):
        options = {"formula": formula} if formula else {}
        cell = table.TableCell(valuetype="string", stringvalue=value, **options)
        cell.addElement(text.P(text=value))
        row.addElement(cell)
    sheet.addElement(row)
    document.spreadsheet.addElement(sheet)
    return _saved(document)


def ods_of_cells() -> bytes:
    from odf import table, text
    from odf.opendocument import OpenDocumentSpreadsheet

    document = OpenDocumentSpreadsheet()
    sheet = table.Table(name="First sheet")
    for value in ("Apples and pears", "Another cell"):
        row = table.TableRow()
        cell = table.TableCell(valuetype="string")
        cell.addElement(text.P(text=value))
        row.addElement(cell)
        number = table.TableCell(valuetype="float", value="3")
        number.addElement(text.P(text="3 pieces"))
        row.addElement(number)
        sheet.addElement(row)
    document.spreadsheet.addElement(sheet)
    return _saved(document)


def _epub(add: Callable[[Untyped], list[Untyped]]) -> bytes:
    from ebooklib import epub

    book = epub.EpubBook()
    book.set_identifier("id")
    book.set_title("A book of foxes")
    book.set_language("en")
    book.add_author("A. Author")
    pages = add(book)
    for page in pages:
        book.add_item(page)
    book.toc = tuple(epub.Link(page.file_name, page.title, page.file_name) for page in pages)
    book.add_item(epub.EpubNcx())
    book.add_item(epub.EpubNav())
    book.spine = ["nav", *pages]
    stream = io.BytesIO()
    epub.write_epub(stream, book)
    return stream.getvalue()


def _page(number: int, content: str) -> Untyped:
    from ebooklib import epub

    page = epub.EpubHtml(title=f"Chapter {number}", file_name=f"text/{number}.xhtml", lang="en")
    page.content = content
    return page


def epub_of_chapters() -> bytes:
    return _epub(
        lambda _: [_page(n, f"<h1>Chapter {n}</h1><p>{WORDS} &amp; so on.</p>") for n in range(3)]
    )


def epub_of_markup() -> bytes:
    content = (
        "<h2>Some <em>emphasis</em></h2><p>A <b>bold</b> and <i>slanted <u>word</u></i>, "
        '<a href="0.xhtml">linked</a>.<br/>A new line.</p><ul><li>One point</li>'
        "<li>Another<ul><li>within it</li></ul></li></ul>"
        "<pre>kept as it is</pre><p>Run <code>make</code> first.</p>"
    )
    return _epub(lambda _: [_page(0, content)])


def epub_of_pictures() -> bytes:
    from ebooklib import epub

    def add(book: Untyped) -> list[Untyped]:
        name = "images/a.png"
        book.add_item(
            epub.EpubItem("a", file_name=name, media_type="image/png", content=picture().read())
        )
        book.add_item(epub.EpubItem("s", file_name="s.css", media_type="text/css", content=b"p{}"))
        return [_page(0, f'<p>Look: <img src="../{name}" alt="A red dot"/> it is red.</p>')]

    return _epub(add)


def epub_of_tables() -> bytes:
    cells = "".join(f"<tr><td>Cell {n}</td><td>{n}</td></tr>" for n in range(3))
    return _epub(lambda _: [_page(0, f"<table><caption>A grid</caption>{cells}</table>")])


LIBRARY_FILES: Mapping[str, Mapping[str, Make]] = {
    ".docx": {
        "text": docx_of_text,
        "tables": docx_of_tables,
        "headers": docx_of_headers,
        "pictures": docx_of_pictures,
    },
    ".pptx": {
        "text": pptx_of_text,
        "tables": pptx_of_tables,
        "charts": pptx_of_charts,
        "groups": pptx_of_groups,
    },
    ".xlsx": {
        "cells": xlsx_of_cells,
        "rich text": xlsx_of_rich_text,
        "tables": xlsx_of_tables,
        "writer": xlsx_of_writer,
        "inline strings": xlsx_of_inline_strings,
        "charts": xlsx_of_charts,
    },
    ".odt": {"text": odt_of_text, "lists": odt_of_lists, "notes": odt_of_notes},
    ".odp": {"slides": odp_of_slides, "notes": odp_of_notes},
    ".ods": {"cells": ods_of_cells, "formulas": ods_of_formulas},
    ".epub": {
        "chapters": epub_of_chapters,
        "markup": epub_of_markup,
        "pictures": epub_of_pictures,
        "tables": epub_of_tables,
    },
}
"""By suffix and what is in them."""

_MARKDOWN = {
    "article": """---
title: An article about foxes
lang: en-US
---

# The first heading

Some *slanted* and **bold** words with a [link](https://example.org/), a note[^1] and `code`.

[^1]: What the note says, with **bold** words.

> A quotation of somebody

1. The first point
2. The second point
    - a point within it

## A table {#table}

| Left | Right |
|------|------:|
| apples | 3 |
| pears and plums | 4 |

```
code = kept
```

Some formula $x^2$ within a line.
""",
    "slides": """% A talk about foxes

# The first slide

- A point with **bold** words
- Another one with a [link](https://example.org/)

::: notes
Say this aloud
:::

# The second slide

Plain text of the second slide.
""",
    "letters": """# Grüße & Küsse

Straße, naïve, 中文 and العربية, all in one line; *Ελληνικά* too.

* * *

A "quoted" line, which ends with dots...\\
and goes on in the next line.
""",
}


def made_by_pandoc(folder: Path) -> Iterator[Path]:
    """Documents in all office formats that pandoc writes."""
    for suffix in (".docx", ".pptx", ".odt", ".epub"):
        yield from run_pandoc(folder, suffix[1:])


def run_pandoc(folder: Path, kind: str, *flags: str, suffix: str = "") -> Iterator[Path]:
    """The same texts in one of pandoc's formats."""
    for name, text in _MARKDOWN.items():
        path = folder / f"pandoc-{name}{suffix or f'.{kind}'}"
        title = ["--metadata", "title=Foxes", "--metadata", "lang=en-US"]
        command = ["pandoc", "--from", "markdown", "--to", kind, *flags, *title]
        command += ["--output", str(path)]
        subprocess.run(command, input=text.encode(), check=True, timeout=120)
        yield path


def converted_by_libreoffice(paths: list[Path], kind: str, folder: Path) -> list[Path]:
    """The same documents in another format, written by LibreOffice."""
    profile = f"-env:UserInstallation=file://{folder}/profile"
    command = ["soffice", profile, "--headless", "--convert-to", kind, "--outdir", str(folder)]
    subprocess.run([*command, *map(str, paths)], check=True, timeout=540, stdout=subprocess.DEVNULL)
    written = [folder / f"{path.stem}.{kind.partition(':')[0]}" for path in paths]
    missing = [path.name for path in written if not path.exists()]
    assert not missing, f"LibreOffice did not write {missing}"
    return written


def has_programs() -> bool:
    """Whether pandoc and LibreOffice are installed."""
    return shutil.which("pandoc") is not None and shutil.which("soffice") is not None
