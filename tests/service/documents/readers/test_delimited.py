"""Tables: the cells of chosen columns change; quotes, delimiters and line ends stay."""

import csv
import io
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.documents.document import Document
from service.documents.errors import DocumentError
from service.documents.readers.delimited import read_csv, read_tsv

CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
NASTY = [
    "",
    "\n\n\n",
    "a",
    "a,b",
    'id,text\r\n1,"Hello, ""you"""\r\n2,\r\n',
    'id;text\n1;"semi; colon"\n',
    "id\ttext\n1\ttabs, and commas\n",
    "id|text\n1|pipes\n",
    "sep=;\r\nid;text\r\n1;for Excel\r\n",
    "SEP=,\nid,text\n1,x\n",
    'id,text\n1,"two\nlines\r\nthree"\n',
    'id,text\n1,"quoted"behind\n',
    'id,text\n1,in "the" middle\n',
    'id,text\n1, "after a space"\n',
    "id,text\n1,  spaces around  \n",
    'id,text\n1," spaces in quotes "\n',
    "id,text\n1,a,b,c,longer row\n2\n",
    "id,text\r1,old Mac\r",
    "\ufeffid,text\n1,marked\n",
    'id,text\n1,""\n2,"\n"\n',
    "id,text\n1,=SUM(A1:A2)\n2,+x\n",
    "id,text\n1,no line end",
    'id,"te,xt",\n1,under a quoted name,\n',
    "id,text\n1,你好，世界\n2,😀 ok\n",
]


def _rows(data: str, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(data, newline=""), delimiter=delimiter))


@pytest.mark.parametrize("data", NASTY)
@pytest.mark.parametrize("read", [read_csv, read_tsv])
def test_unchanged_texts_give_the_same_file(read: Callable[[bytes], Document], data: str) -> None:
    data = data if read is read_csv else data.replace(",", "\t")
    document = read(data.encode())
    assert document.write([string.text for string in document.strings]).decode() == data


@pytest.mark.parametrize("data", NASTY)
def test_python_sees_the_same_cells(data: str) -> None:
    lines = data.removeprefix("\ufeff").splitlines(keepends=True)
    has_delimiter = bool(lines) and lines[0].lower().startswith("sep=")
    head, body = ("".join(lines[:1]), "".join(lines[1:])) if has_delimiter else ("", "".join(lines))
    delimiter = next((d for d in ",;\t|" if d in (head or body).split("\n")[0]), ",")
    written = read_csv(data.encode())
    new = written.write([f'{s.text.upper()}{delimiter}"x"\n' for s in written.strings]).decode()
    before, after = (
        _rows(body, delimiter),
        _rows(new.removeprefix("\ufeff")[len(head) :], delimiter),
    )
    assert [len(row) for row in before] == [len(row) for row in after]
    changed = f'{delimiter}"x"\n'
    for number, (old_row, new_row) in enumerate(zip(before, after, strict=True)):
        for old, cell in zip(old_row, new_row, strict=True):
            if number and any(map(str.isalpha, old)):
                assert cell == old.replace(old.strip(), old.strip().upper() + changed)
            else:
                assert cell == old


@given(st.lists(st.lists(CELLS, min_size=1), min_size=1), st.booleans())
def test_files_of_python(rows: list[list[str]], is_quoted: bool) -> None:
    file = io.StringIO(newline="")
    csv.writer(
        file, delimiter="\t", quoting=csv.QUOTE_ALL if is_quoted else csv.QUOTE_MINIMAL
    ).writerows([["id"], *rows])
    document = read_tsv(file.getvalue().encode())
    expected = [cell.strip() for row in rows for cell in row if any(map(str.isalpha, cell))]
    assert [string.text for string in document.strings] == expected


TABLE = b"id,title,text\n1,one,two\n2,three,four\n"


@pytest.mark.parametrize(
    ("columns", "texts"),
    [
        ("", ["one", "two", "three", "four"]),
        ("title", ["one", "three"]),
        (" text , title ", ["one", "two", "three", "four"]),
        ("3", ["text", "two", "four"]),
        ("title,3", ["one", "two", "three", "four"]),
        ("99", []),
    ],
)
def test_columns_are_chosen_by_name_or_number(columns: str, texts: list[str]) -> None:
    assert [string.text for string in read_csv(TABLE, columns).strings] == texts


@pytest.mark.parametrize("columns", ["name", "0", "-1", "id,name", "1.5", "٣x"])
def test_an_unknown_column_is_named(columns: str) -> None:
    with pytest.raises(DocumentError, match=r"it has no column '.*': its first row is id, title"):
        read_csv(TABLE, columns)


def test_an_open_quotation_mark_is_refused() -> None:
    with pytest.raises(DocumentError, match="row 2: a quotation mark is not closed"):
        read_csv(b'a,b\n1,"x\n2,y\n')
    with pytest.raises(DocumentError, match="NUL"):
        read_csv(b"a,b\n1,\0\n")


def test_an_empty_translation_is_no_blank_line() -> None:
    assert read_csv(b"a\nx\n").write([""]) == b'a\n""\n'
