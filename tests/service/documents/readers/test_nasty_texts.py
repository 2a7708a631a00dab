"""Unusual files of the formats without tables of their own: nothing changes but the texts."""

import pytest

from tests.service.documents.readers.programs.foreign import capitals_of

_TIMES = "00:00:01,000 --> 00:00:02,000"
_HEAD = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'
NASTY = {
    ".txt": [
        "", "\n\n\n", "one", "one\ntwo\n", "one\r\n\r\ntwo\r\n", "one\r\rtwo", "\ufeffmarked\n",
        "  indented\n\tby a tab\n", "trailing   \n\n\n\nfar below", "- a point\n- another\n",
        "1. first\n2. second", "a\u2028b\u2029c", "a\x0cb", "\u00a0only\u00a0", "你好。再见。\n",
        "مرحبا\n\nعالم", "a <b> & c", "http://example.org/a?b=c", "{0} of %s at {{name}}",
        "😀 👩\u200d👩\u200d👧 e\u0301", "x" * 5_000, "---\n***\n", "a -- b --- c ... d",
    ],
    ".html": [
        "", "text alone", "<p>one<p>two", "<p>a <b>bold <i>both</b> slanted</i> end",
        "<ul><li>one<li>two<ul><li>three</ul></ul>", "<!doctype html><title>x</title>",
        "<!-- <p>kept</p> --><p>a</p>", "<script>let a = '<p>kept</p>'</script><p>a</p>",
        "<style>p::after { content: 'kept' }</style>a", "<pre>code <b>kept</b></pre><p>a",
        "<p>a &amp; b &lt;c&gt; &#228; &nbsp; &unknown; &copy d", "<P CLASS=a ID='b'>Upper</P>",
        '<img alt="a > b" src=x><p title=\'it "is"\'>c', "<p>a<br>b<br/>c</p>", "<p></p><p> </p>",
        "<table><tr><td>a<td>b<tr><td>c</table>", "<a href=x>link</a> and <a href=y></a>",
        "<p translate=no>kept</p><p>a <code>kept</code></p>", "a < b and b > c", "<p>a</q></p></div>",
        "<html lang=en><body>a", "<p>one\r\n  two\r\n</p>", "<textarea>a <b></textarea>b",
    ],
    ".md": [
        "", "# One\n\ntwo\n", "One\n===\n\nTwo\n---\n", "a **b *c* d** e\n", "- one\n\n  two\n- three\n",
        "1) one\n1) two\n", "> one\n> > two\nthree\n", "```\nkept\n```\na\n", "    kept\n\na\n",
        "~~~ python\nkept ``` kept\n~~~\n", "a `kept` b ``kept ` kept`` c\n",
        "[a](x 'kept') ![b](y)\n", "[a][1]\n\n[1]: http://x 'kept'\n", "<div>\nkept\n</div>\n\na\n",
        "| a | b |\n|---|:-:|\n| c \\| d | e |\n", "a  \nb\\\nc\n", "\\*a\\* \\_b\\_ &amp; &#42;\n",
        "---\ntitle: kept\n---\n\na\n", "+++\ntitle = 'kept'\n+++\na\n", "a\r\n\r\n* b\r\n* c\r\n",
        "- [ ] one\n- [x] two\n", "~~a~~ <b>b</b> <http://x>\n", "***\n\n# \n\n#no heading\n", "**a\n",
    ],
    ".json": [
        "{}", "[]", '"one"', "1", "null", '{"a": "one"}', '{"a":{"b":["one",{"c":"two"}]}}\n',
        '["one", "", " ", "12", "!"]', '{"a": "\\u00fc\\n\\t\\"b\\" \\\\ \\/"}', '["\\ud83d\\ude00 a"]',
        '["\\ud800"]', '{"a": "x", "a": "y"}', '{"a:\\"b": "c:\\"d"}', '\r\n[ "a" ,\r\n\t"b" ]\r\n',
        '\ufeff["a"]', '["{\\"a\\": \\"b\\"}"]', '{"": ""}', '{"": "a"}', '["你好", "a\u2028b"]',
        "[1.5e3, true, \"a\", false]", '{"$schema": "x", "b": "c"}', '[[[["a"]]]]', '["' + "a" * 999 + '"]',
    ],
    ".srt": [
        "", "\n\n", f"1\n{_TIMES}\none\n", f"1\n{_TIMES}\none\ntwo\n\n2\n{_TIMES}\nthree\n",
        f"\ufeff1\r\n{_TIMES}\r\none\r\ntwo\r\n\r\n", f"1\n{_TIMES}\n<i>a</i> <b>b</b>\n",
        f'1\n{_TIMES}\n<font color="#fff">a</font>\n', f"1\n{_TIMES}\n{{\\an8}}a\n",
        f"1\n{_TIMES}\n- Who?\n- Me.\n", f"1\n{_TIMES}\n♪ la la ♪\n", f"1\n{_TIMES}\n\n2\n{_TIMES}\nb\n",
        f"1\n{_TIMES}  X1:40 X2:600\na\n", f"{_TIMES}\nno number\n", f"7\n{_TIMES}\na\n\n3\n{_TIMES}\nb\n",
        f"1\n{_TIMES}\na --> b\n", f"1\n{_TIMES}\n12\n", f"1\n{_TIMES}\n<i>never closed\n",
        f"1\n{_TIMES}\na < b & c\n", f"1\n{_TIMES}\n[music]\n(laughs)\n", f"1\n{_TIMES}\n  a  \n   \n",
        f"1\n{_TIMES.replace(',', '.')}\na\n", f"1\n{_TIMES}\n你好\n\n\n\n2\n{_TIMES}\na",
    ],
    ".po": [
        _HEAD, f'{_HEAD}msgid "a"\nmsgstr ""\n', f'{_HEAD}msgid "a"\nmsgstr "b"\n',
        f'{_HEAD}#, fuzzy\nmsgid "a"\nmsgstr "b"\n', f'{_HEAD}#~ msgid "a"\n#~ msgstr ""\n',
        f'{_HEAD}msgctxt "c"\nmsgid "a"\nmsgstr ""\n', f'{_HEAD}msgid ""\n"a\\n"\n"b"\nmsgstr ""\n',
        f'{_HEAD}msgid "a"\nmsgid_plural "b"\nmsgstr[0] ""\nmsgstr[1] ""\n',
        f'{_HEAD}msgid "a"\nmsgid_plural "b"\nmsgstr[0] "x"\nmsgstr[1] ""\nmsgstr[2] ""\n',
        f'{_HEAD}#. hint\n#: a.c:1\n#, c-format\n#| msgid "old"\nmsgid "a %s"\nmsgstr ""\n',
        f'{_HEAD}msgid "tab\\t \\"q\\" \\\\"\nmsgstr ""\n', f'{_HEAD}msgid "a"\n\nmsgstr ""\n',
        f'{_HEAD}  msgid   "a"\n  msgstr   ""\n', (f'{_HEAD}msgid "a"\nmsgstr ""\n').replace("\n", "\r\n"),
        f'{_HEAD}msgid "你好 😀"\nmsgstr ""\n', f'{_HEAD}msgid "12"\nmsgstr ""\n',
        f'{_HEAD}msgid "a"\nmsgstr ""\n\nmsgid "b"\nmsgstr ""', 'msgid "a"\nmsgstr ""\n',
        f'# by\n{_HEAD}domain "d"\nmsgid "a"\nmsgstr ""\n', f'{_HEAD}msgid "a\\n"\nmsgstr ""\n',
        f'{_HEAD}msgid "{{0}} {{name}} %(x)s"\nmsgstr ""\n', f'{_HEAD}msgid "<b>a</b> &amp; b"\nmsgstr ""\n',
    ],
}  # fmt: skip
FILES = [(suffix, number) for suffix, files in NASTY.items() for number in range(len(files))]


@pytest.mark.parametrize(("suffix", "number"), FILES)
def test_nothing_but_the_texts_changes(suffix: str, number: int) -> None:
    data = NASTY[suffix][number]
    written = capitals_of(f"a{suffix}", data.encode())
    kept = data.count("kept")
    if written is not None:
        assert written.decode().count("kept") == kept
        assert len(written.splitlines()) >= data.count("\n")


def test_there_are_twenty_of_each_format() -> None:
    assert all(len(files) >= 20 for files in NASTY.values())
