from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import BadFileError
from service.translation.memory.tmx import Skipped, read_tmx, write_tmx
from service.translation.memory.unit import MAX_UNIT_CHARS, Unit


def tmx(*units: str, head: str = '<?xml version="1.0"?>') -> str:
    body = "".join(f"<tu>{unit}</tu>" for unit in units)
    return f'{head}<tmx version="1.4"><header srclang="en"/><body>{body}</body></tmx>'


def tuv(language: str, text: str) -> str:
    return f'<tuv xml:lang="{language}"><seg>{text}</seg></tuv>'


def unit(source: str, target: str) -> str:
    return tuv("en", source) + tuv("de", target)


def read(folder: Path, content: str | bytes, target: str = "de") -> tuple[list[Unit], Skipped]:
    path = folder / "memory.tmx"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    skipped = Skipped()
    return list(read_tmx(path, "en", target, skipped)), skipped


def test_units_of_the_languages_are_read(tmp_path: Path) -> None:
    found, skipped = read(tmp_path, tmx(unit("One &amp; all", "Eins"), tuv("en", "Two"), ""))
    assert found == [Unit(source="One & all", target="Eins")]
    assert skipped == Skipped(num_other_languages=2)


def test_regions_are_understood(tmp_path: Path) -> None:
    variants = tuv("EN-US", "color") + tuv("pt-BR", "cor (BR)") + tuv("pt-PT", "cor (PT)")
    assert read(tmp_path, tmx(variants), "pt_PT")[0] == [Unit(source="color", target="cor (PT)")]
    assert read(tmp_path, tmx(variants), "pt")[0] == [Unit(source="color", target="cor (BR)")]


def test_old_files_name_languages_without_prefix(tmp_path: Path) -> None:
    content = tmx(unit("a", "b")).replace("xml:lang", "lang")
    assert read(tmp_path, content)[0] == [Unit(source="a", target="b")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "iso-8859-1"])
def test_encodings_of_other_tools(tmp_path: Path, encoding: str) -> None:
    declared = encoding.removesuffix("-sig")
    content = tmx(unit("grey", "gräulich"), head=f'<?xml version="1.0" encoding="{declared}"?>')
    assert read(tmp_path, content.encode(encoding))[0] == [Unit(source="grey", target="gräulich")]


def test_markup_is_left_out_and_placeholders_stay(tmp_path: Path) -> None:
    source = (
        'Click <bpt i="1">&lt;b&gt;</bpt>here<ept i="1">&lt;/b&gt;</ept>,<ph>&lt;br/&gt;</ph> '
        '<hi type="x">now</hi>: <ph x="1">{0}</ph> <it pos="begin">&lt;i&gt;</it>files'
        "<ut>\\par</ut>"
    )
    sub = "A note<ph>&lt;fn&gt;<sub>small print</sub>&lt;/fn&gt;</ph> <ph><sub>x</sub>%s</ph>"
    found, _ = read(tmp_path, tmx(unit(source, sub)))
    assert found == [Unit(source="Click here, now: {0} files", target="A note x%s")]


def test_empty_and_long_units_are_counted(tmp_path: Path) -> None:
    long = "x" * (MAX_UNIT_CHARS + 1)
    huge = "<ph>" + "y" * 100_000 + "</ph>short"
    found, skipped = read(
        tmp_path, tmx(unit("a", " "), unit(long, "b"), unit("c", huge), unit("d", long[1:]))
    )
    assert found == [Unit(source="d", target=long[1:])]
    assert skipped == Skipped(num_unusable=3)


def test_doctype_may_be_named(tmp_path: Path) -> None:
    head = '<?xml version="1.0"?><!DOCTYPE tmx SYSTEM "tmx14.dtd">'
    assert len(read(tmp_path, tmx(unit("a", "b"), head=head))[0]) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no TMX"),
        ("not xml", "no TMX"),
        ("<xliff/>", "outermost element is <xliff>"),
        (tmx(unit("a", "b"))[:-10], "line 1"),
        (tmx(unit("a", "<b>c")), "mismatched tag"),
        (b"<?xml version='1.0'?><tmx><seg>\xff</seg></tmx>", "line 1"),
        ("<tmx>" + "<a>" * 60, "in each other"),
        (tmx("&x;", head='<!DOCTYPE tmx [<!ENTITY x "y">]>'), "defines entities"),
        (tmx("", head='<!DOCTYPE tmx [<!ENTITY x SYSTEM "file:///etc/passwd">]>'), "entities"),
        (tmx("", head='<!DOCTYPE tmx [<!ENTITY % x SYSTEM "http://h/">%x;]>'), "entities"),
    ],
)
def test_broken_and_hostile_files_are_refused(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(BadFileError, match=message):
        read(tmp_path, content)


@pytest.mark.parametrize("encoding", ["shift_jis", "nonsense", "idna", "hex"])
def test_other_encodings_are_refused(tmp_path: Path, encoding: str) -> None:
    head = f'<?xml version="1.0" encoding="{encoding}"?>'
    with pytest.raises(BadFileError, match="save it in UTF-8"):
        read(tmp_path, tmx(unit("a", "b"), head=head))


@given(st.data())
def test_damaged_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = tmx(unit("Grün <ph>{0}</ph>", "b"), unit("c", "<hi>d</hi>")).encode()
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    folder = tmp_path_factory.mktemp("tmx")
    try:
        found, _ = read(folder, bytes(content))
    except BadFileError:
        return
    assert len(found) <= 2


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1))))
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    def kept(text: str) -> str:
        return " ".join(
            "".join(c for c in text if c >= " " or c in "\t\n\r").replace("\ufffe", "").split()
        ).replace("\uffff", "")

    units = [Unit(source=kept(a), target=kept(b)) for a, b in pairs if kept(a) and kept(b)]
    written = "".join(write_tmx(units, "en", "de"))
    found, skipped = read(tmp_path_factory.mktemp("tmx"), written)
    assert found == units
    assert skipped == Skipped()
