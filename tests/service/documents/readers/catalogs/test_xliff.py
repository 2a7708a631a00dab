"""XLIFF: sources stay, missing targets are written with a state, finished ones are not touched."""

from xml.etree import ElementTree

import pytest

from service.documents.errors import DocumentError
from service.documents.readers.catalogs.xliff import read
from tests.service.documents.readers.office.capitals import CLOSE, OPEN, translated

FIRST = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">\n'
    ' <file source-language="en"{} datatype="plaintext" original="a"><body>\n{}\n </body></file>\n'
    "</xliff>\n"
)
SECOND = (
    '<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.0" srcLang="en"{}>\n'
    ' <file id="f"><unit id="u">\n{}\n </unit></file>\n</xliff>\n'
)
UNITS = [
    "<source>Hello</source>",
    "\n  <source>Hello</source>\n  <note>for you</note>",
    "<source>Hello</source><target/>",
    "<source>Hello</source><target></target>",
    '<source>Hello</source><target state="new">Hello</target>',
    "<source>Hello</source><target state='needs-translation' xml:lang='de'>x</target>",
    '<source>Hello</source><target state="translated">Hallo</target>',
    '<source>Hello</source><target state="final"/>',
    "<source>Hello</source><target>Hallo</target>",
    "<source>Hello</source><target><x id='1'/></target>",
    "<source>A <g id='1'>bold</g> word</source>",
    "<source><g id='1'><g id='2'>All</g> of</g> it</source>",
    "<source><x id='1'/>At the <x id='2' ctype='lb'/> edge<x id='3'/></source>",
    "<source>a <bpt id='1'>&lt;b&gt;</bpt>bold<ept id='1'>&lt;/b&gt;</ept> word</source>",
    "<source>a <bx id='1' rid='7'/>bold<ex id='2' rid='7'/> word</source>",
    "<source>a <bx id='1'/>never closed</source>",
    "<source>one <it id='1' pos='open'>&lt;i&gt;</it>isolated</source>",
    "<source>code <ph id='1'>printf(<sub>x</sub>)</ph> here</source>",
    "<source>a <mrk mtype='term'>term</mrk> of ours</source>",
    (
        "<source>One. Two.</source><seg-source><mrk mtype='seg' mid='1'>One.</mrk> "
        "<mrk mtype='seg' mid='2'>Two.</mrk></seg-source>"
    ),
    "<source>entities &amp; &lt;tags&gt; &#228; &quot;q&quot;</source>",
    "<source><![CDATA[A <b>section</b>]]></source>",
    "<source xml:space='preserve'>  spaces\n  and lines </source>",
    "<source>a <!-- comment --> b</source>",
    "<source>12 %</source>",
    "<source></source>",
    "<source>Hello</source><alt-trans><source>x</source><target>Hi</target></alt-trans>",
]
SEGMENTS = [
    "<segment><source>Hello</source></segment>",
    '<segment state="initial">\n   <source>Hello</source>\n  </segment>',
    "<segment><source>Hello</source><target/></segment>",
    '<segment state="final"><source>Hello</source><target>Hallo</target></segment>',
    "<segment><source>Hello</source><target>Hallo</target></segment>",
    '<segment state="initial"><source>Hello</source><target>Hello</target></segment>',
    "<segment><source>a <pc id='1'>bold</pc> word<ph id='2'/>.</source></segment>",
    "<segment><source>a <sc id='1'/>bold<ec startRef='1'/> word</source></segment>",
    "<segment><source>a <sc id='1'/>b <pc id='2'>c<ec startRef='1'/> d</pc></source></segment>",
    "<segment><source>a <mrk id='m' type='term'>b</mrk> <cp hex='001A'/> c</source></segment>",
    (
        "<segment><source>One. </source></segment><ignorable><source> x </source></ignorable>"
        "<segment><source>Two.</source></segment>"
    ),
    "<notes><note>Note</note></notes><segment><source>Hello</source></segment>",
    '<segment state="translated"><source>Hello</source><target/></segment>',
    '<segment state="reviewed"><source>Hello</source><target>Hallo</target></segment>',
    "<segment id='s'  state = 'initial' subState='a:b'><source>Hello</source></segment>",
    "<segment><source>a <pc id='1'><pc id='2'>b</pc> <ph id='3'/></pc> c</source></segment>",
    "<segment><source>a <sc id='1'/>never closed</source></segment>",
    "<segment><source>a <ph id='1' type='fmt' subType='xlf:lb'/> b</source></segment>",
    "<segment><source><![CDATA[a <b>]]> &amp; &#228;</source></segment>",
    "<segment><source>12 %</source></segment><segment><source></source></segment>",
]
FILES = [FIRST.format("", f'<trans-unit id="1">{unit}</trans-unit>') for unit in UNITS] + [
    SECOND.format("", segment) for segment in SEGMENTS
]


def _write(data: str, language: str = "de") -> str:
    document = read(data.encode())
    texts = [translated(string.text, string.format) for string in document.strings]
    return document.write(texts, language).decode()


def _elements(data: str, name: str) -> list[str]:
    root = ElementTree.fromstring(data)
    found = [e for e in root.iter() if e.tag.rpartition("}")[2] == name]
    for element in found:
        element.tail = None
    return [ElementTree.tostring(element, encoding="unicode") for element in found]


def _shape(xml: str) -> list[tuple[str, ...]]:
    """Names and ids of the inline elements, in any order."""
    element = ElementTree.fromstring(xml)
    return sorted((e.tag, *sorted(map(str, e.attrib.items()))) for e in [*element.iter()][1:])


@pytest.mark.parametrize("data", FILES)
def test_sources_stay(data: str) -> None:
    written = _write(data)
    for name in ("source", "seg-source", "note", "alt-trans", "ignorable"):
        assert _elements(written, name) == _elements(data, name)


@pytest.mark.parametrize("data", FILES)
def test_every_string_becomes_one_target_with_the_tags_of_its_source(data: str) -> None:
    num_strings = len(read(data.encode()).strings)
    written = _write(data)
    new = [target for target in _elements(written, "target") if OPEN in target]
    assert len(new) == num_strings
    assert written.count(OPEN) == written.count(CLOSE) == num_strings
    shapes = [_shape(source) for source in _elements(written, "source")]
    assert all(_shape(target) in shapes or "mtype" in target for target in new)
    assert not read(written.encode()).strings


@pytest.mark.parametrize("data", FILES)
def test_what_is_not_written_stays_byte_for_byte(data: str) -> None:
    if not read(data.encode()).strings:
        assert _write(data, "") == data


@pytest.mark.parametrize(
    ("unit", "target"),
    [
        (UNITS[0], f"<target {{}}>{OPEN}HELLO{CLOSE}</target>"),
        (UNITS[5], f"<target xml:lang='de' {{}}>{OPEN}HELLO{CLOSE}</target>"),
        (
            UNITS[12],
            (
                f"<target {{}}><x id='1'/>{OPEN}AT THE <x id='2' ctype='lb'/> EDGE{CLOSE}"
                "<x id='3'/></target>"
            ),
        ),
    ],
)
def test_a_target_names_its_state(unit: str, target: str) -> None:
    state = 'state="needs-review-translation" state-qualifier="mt-suggestion"'
    written = _write(FIRST.format("", f'<trans-unit id="1">{unit}</trans-unit>'))
    assert target.format(state) in written
    assert ' source-language="en" datatype="plaintext" original="a" target-language="de"' in written


def test_a_new_target_has_the_indent_of_its_source() -> None:
    written = _write(SECOND.format("", SEGMENTS[1]))
    assert f"</source>\n   <target>{OPEN}HELLO{CLOSE}</target>\n  </segment>" in written
    assert '<segment state="translated">' in written
    assert 'srcLang="en" trgLang="de">' in written


def test_the_same_text_is_a_translation() -> None:
    document = read(FIRST.format("", f"<trans-unit id='1'>{UNITS[0]}</trans-unit>").encode())
    assert b">Hello</target>" in document.write(["Hello"], "de")


def test_units_that_are_finished_or_closed_are_left_alone() -> None:
    body = (
        "<trans-unit id='1' approved='yes'><source>a</source><target/></trans-unit>"
        "<trans-unit id='2' translate='no'><source>b</source></trans-unit>"
        "<group translate='no'><trans-unit id='3'><source>c</source></trans-unit></group>"
        "<trans-unit id='4'><source>d</source></trans-unit>"
    )
    assert [string.text for string in read(FIRST.format("", body).encode()).strings] == ["d"]


@pytest.mark.parametrize(
    ("frame", "marker"),
    [
        (
            FIRST.format("", "<trans-unit id='1'><source>Press {} now</source></trans-unit>"),
            "<mrk mtype='protected'>Start <g id='1'>Menu</g></mrk>",
        ),
        (
            SECOND.format("", "<segment><source>Press {} now</source></segment>"),
            "<mrk id='m' translate='no'>Start <pc id='1'>Menu</pc></mrk>",
        ),
    ],
)
def test_protected_text_stays_within_its_sentence(frame: str, marker: str) -> None:
    assert f"{OPEN}PRESS {marker} NOW{CLOSE}" in _write(frame.format(marker))
    whole = frame.replace("Press {} now", marker)
    assert not read(whole.encode()).strings


def test_the_language_of_the_file_is_that_of_its_targets() -> None:
    units = "<trans-unit id='1'><source>a</source>{}</trans-unit>" * 2
    french = FIRST.format(' target-language="fr"', units.format("", ""))
    assert 'target-language="de"' in _write(french)
    austrian = FIRST.format(' target-language="de-AT"', units.format("", ""))
    assert 'target-language="de-AT"' in _write(austrian)
    mixed = FIRST.format(' target-language="fr"', units.format("<target>b</target>", ""))
    with pytest.raises(DocumentError, match="translations to 'fr'"):
        _write(mixed)


def test_other_encodings_stay() -> None:
    data = FIRST.format("", f"<trans-unit id='1'>{UNITS[0]}</trans-unit>")
    latin = data.replace("UTF-8", "ISO-8859-1").encode("latin-1")
    assert "Grüß".encode("latin-1") in read(latin).write(["Grüß"], "de")
    wide = data.replace("UTF-8", "UTF-16").encode("utf-16")
    assert read(wide).write(["Grüß"], "de").decode("utf-16").count("Grüß") == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is no XML"),
        (b"<xliff", "it is no XML"),
        (b"<a/>", "not <xliff>"),
        (b"<xliff/>", "not <xliff>"),
        (b"<xliff version='3'/>", "not <xliff>"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><xliff version='1.2'>&b;</xliff>", "defines entities"),
        (b"<xliff version='1.2'>" + b"<g>" * 300, "in each other"),
        (b"<?xml version='1.0' encoding='x'?><xliff/>", "encoding that is not read"),
    ],
)
def test_another_file_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        read(data)


def test_each_string_needs_a_translation() -> None:
    document = read(FILES[0].encode())
    for translations in ([], ["a", "b"]):
        with pytest.raises(ValueError, match="translations are"):
            document.write(translations)


@pytest.mark.parametrize("data", FILES[: len(UNITS)])
def test_the_library_sees_the_same_units(data: str) -> None:
    module = pytest.importorskip(
        "translate.storage.xliff", reason="translate-toolkit is not installed"
    )
    before = module.xlifffile.parsestring(data.encode())
    after = module.xlifffile.parsestring(_write(data).encode())
    assert [str(unit.source) for unit in before.units] == [str(unit.source) for unit in after.units]
    assert after.gettargetlanguage() == "de"
    for old, new in zip(before.units, after.units, strict=True):
        was_written = OPEN in str(new.target)
        assert was_written or str(old.target) == str(new.target)
        assert new.isfuzzy() or not was_written


@pytest.mark.parametrize("data", FILES[len(UNITS) :])
def test_the_library_sees_the_same_segments(data: str) -> None:
    module = pytest.importorskip(
        "translate.storage.xliff2", reason="translate-toolkit is not installed"
    )
    before = module.Xliff2File.parsestring(data.encode())
    after = module.Xliff2File.parsestring(_write(data).encode())
    assert [str(unit.source) for unit in before.units] == [str(unit.source) for unit in after.units]
    assert after.gettargetlanguage() == "de"


def test_a_header_of_gettext_is_no_text() -> None:
    """As `po2xliff` of translate-toolkit writes it."""
    header = (
        '<trans-unit id="2" approved="no" restype="x-gettext-domain-header">'
        "<source>Language: en</source>{}</trans-unit>"
    )
    for target in ("", '<target state="needs-translation">Language: en</target>'):
        data = FIRST.format("", header.format(target))
        assert read(data.encode()).strings == ()
        assert "Language: en<" in _write(data)
