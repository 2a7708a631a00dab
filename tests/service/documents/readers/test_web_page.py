"""Web pages: text between block elements, with its inline tags."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.documents.readers.web_page import read

PAGE = """\
<!doctype html><html><head><meta charset="utf-8"><title>A page</title>
<script>let kept = "<p>kept</p>";</script></head>
<body><!-- kept --><h1>Head</h1>
<p class="x">Some <b>bold</b> text,&nbsp;<a href="/u">linked</a>.<p>Not closed
<pre>kept</pre></body></html>
"""


def test_passages_are_translated_one_by_one_with_their_inline_tags() -> None:
    strings = read(PAGE.encode()).strings
    assert {string.format for string in strings} == {"html"}
    assert [string.text for string in strings] == [
        "A page",
        "Head",
        'Some <b>bold</b> text,&nbsp;<a href="/u">linked</a>.',
        "Not closed",
    ]


def test_everything_else_stays() -> None:
    document = read(PAGE.encode())
    texts = [string.text for string in document.strings]
    assert document.write(texts).decode() == PAGE
    texts[1] = "Kopf"
    assert document.write(texts).decode() == PAGE.replace("Head<", "Kopf<")


def test_characters_that_the_page_lacks_become_references() -> None:
    page = '<meta charset="iso-8859-1"><p>'
    document = read(f"{page}green".encode())
    assert document.write(["grün €"]) == page.encode() + b"gr\xfcn &#8364;"


def test_blank_pages_have_nothing_to_translate() -> None:
    for page in (b"", b" \n", b"<p></p><hr>", b"<script>x</script>"):
        assert read(page).strings == ()


def _upper(page: str, language: str = "") -> str:
    """The page with every string in capitals; of HTML only its words outside of tags."""
    document = read(page.encode())
    translations = [
        re.sub(r"(<[^>]*>)|[^<]+", lambda m: m[1] or m[0].upper(), string.text)
        if string.format == "html"
        else string.text.upper()
        for string in document.strings
    ]
    return document.write(translations, language).decode()


@pytest.mark.parametrize(
    ("page", "written"),
    [
        ('<p>a <img alt="a cat" src="x.png"> b', '<p>A <img alt="A CAT" src="x.png"> B'),
        ("<img alt='it&#39;s \"so\"'>", "<img alt='IT&#39;S \"SO\"'>"),
        ('<img alt="a &amp; b &lt;c&gt;">', '<img alt="A &amp; B &lt;C&gt;">'),
        ("<input placeholder=name type=text>", '<input placeholder="NAME" type=text>'),
        ('<div title="a tip"><p>b</div>', '<div title="A TIP"><p>B</div>'),
        (
            '<textarea placeholder="say">kept</textarea>',
            '<textarea placeholder="SAY">kept</textarea>',
        ),
        ('<p>a <abbr title="b c">d</abbr> <b title="b c">e</b>', None),
        ('<button aria-label="close">x</button>', '<button aria-label="CLOSE">X</button>'),
    ],
)
def test_texts_in_attributes_are_translated(page: str, written: str | None) -> None:
    expected = written or '<p>A <abbr title="B C">D</abbr> <b title="B C">E</b>'
    assert _upper(page) == expected


@pytest.mark.parametrize(
    "page",
    [
        '<img alt="" title=" 12 " src="a b">',
        '<img translate="no" alt="kept">',
        '<div class="notranslate"><img alt="kept"></div>',
        '<link rel="stylesheet" title="kept"><meta name="title" content="kept">',
        "<script>let page = '<img alt=\"kept\">';</script>",
        '<!-- <img alt="kept"> --><pre><b title="kept">x</b></pre>',
        '<html><body lang="en"><hr>',
    ],
)
def test_what_is_no_text_of_the_page_is_kept(page: str) -> None:
    assert _upper(page, "de") == page


@pytest.mark.parametrize(
    ("tag", "written"),
    [
        ('<html lang="en-GB" class=x>', '<html lang="de" class=x>'),
        ("<HTML xml:lang='en' LANG=en>", "<HTML xml:lang='de' LANG=\"de\">"),
        ("<html>", "<html>"),
    ],
)
def test_the_page_names_the_language_of_its_translation(tag: str, written: str) -> None:
    page = f'{tag}<p lang="fr">A'
    assert _upper(page, "de") == f'{written}<p lang="fr">A'
    assert _upper(page) == page, "without a language it is kept"


def test_a_text_that_looks_like_an_attribute_is_no_attribute() -> None:
    page = '<p>Say alt="a cat" of <img alt="a cat">.'
    document = read(page.encode())
    passage, value = (string.text for string in document.strings)
    assert document.write([passage, "eine Katze"]).decode() == page.replace(
        '<img alt="a cat">', '<img alt="eine Katze">'
    )
    assert value == "a cat"


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_any_translation_of_an_attribute_is_read_again(value: str) -> None:
    for page in ('<img alt="text">', "<p>a <img alt='text'> b", "<p>a <img alt=text> b"):
        document = read(page.encode())
        texts = [string.text for string in document.strings]
        written = document.write([value if text == "text" else text for text in texts]).decode()
        found = re.search(r"""alt=(["'])(.*?)\1""", written, re.DOTALL)
        if value != "text":
            assert found
            assert html.unescape(found[2]) == html.unescape(html.escape(value))


@given(st.text("<>\"'=/ abclt\n"))
def test_any_page_is_written_back(text: str) -> None:
    for page in (text, f"<img {text}>", f'<p>a <b title="{text}">'):
        document = read(page.encode())
        assert document.write([string.text for string in document.strings]).decode() == page
