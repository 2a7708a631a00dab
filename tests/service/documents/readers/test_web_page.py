"""Web pages: text between block elements, with its inline tags."""

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
