import re
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.masking.placeholders import (
    _FOREIGN_WORDS,
    _PATTERNS,
    _PLACEHOLDER_OR_FOREIGN,
    find_placeholders,
)


def found(text: str) -> list[str]:
    return [stretch.replacement for stretch in find_placeholders(text)]


@pytest.mark.parametrize(
    "placeholder",
    [
        "{name}",
        "{0}",
        "{}",
        "{user.name}",
        "{{a.b}}",
        "{{ count }}",
        "${x}",
        "${user.name}",
        "#{id}",
        "%{count}",
        "{% if x %}",
        "$(HOME)",
        "$HOME",
        "%s",
        "%d",
        "%1$d",
        "%2$s",
        "%.2f",
        "%5.1f",
        "%-10s",
        "%ld",
        "%@",
        "%(name)s",
        "%%",
        "%USER%",
        "[[user]]",
        "__NAME__",
        '<x id="1"/>',
        "<b>",
        "</b>",
        '<a href="x" target=_blank>',
        "<br/>",
        "&nbsp;",
        "&#39;",
        ":smile:",
        ":+1:",
        "👍🏽",
        "🇩🇪",
        "https://example.com/a?b=c&d=e#f",
        "http://localhost:8000/",
        "www.example.org/x",
        "mailto:me@example.org",
        "me.you+tag@mail.example.org",
        "example.com",
        "docs.example.org/about",
        "/etc/hosts",
        "~/notes.txt",
        "./run.sh",
        "../up/one",
        "C:\\temp\\x.txt",
        "\\\\host\\share\\x",
        "docs/index.html",
        "README.md",
        "config.toml",
        "`ls -la`",
        "``a`b``",
        "5 km",
        "3.5 GB",
        "20 °C",
        "100 km/h",
        "2,5 kg",
        "16px",
        "30s",
        "1500 s",
        "1.5em",
        "2rem",
        "10\u00a0ms",
        "@handle",
        "#topic",
        "v1.2.3",
        "1.2.3",
        "192.168.0.1",
        "d41d8cd98f00b204e9800998ecf8427e",
        "123e4567-e89b-12d3-a456-426614174000",
        "--verbose",
        ">>de<<",
        "⟦3⟧",
        "<s>",
        "</s>",
        "<unk>",
        "<0x0A>",
        "▁",
        "\ufffc",
        "\ufffd",
        "\ue000",
        "{date, date, short}",
        "{n, plural, one {# file} other {# files}}",
        "{price:.2f}",
        "$t(count)",
        "%{a}{b}%%",
        "\\n",
        "\\u00e4",
        "\x1b[1m",
        ":-)",
        ";)",
        ":D",
        "¯\\_(ツ)_/¯",
        "©",
        "max_body_bytes",
        "read_all()",
        "getUserName",
        "iPhone",
        "main()",
        "+49 30 1234567",
        "978-3-16-148410-0",
        "2024-01-31",
        "AB-12345-X",
        "COVID-19",
        "4815162342",
        "7319",
        "mc²",
        "5 µm",
        "-3 °C",
        "1,000.5 kg",
        "8 GB/s",
        "ftp://example.org/x",
        "anna@example.co.uk",
        "/api/v2/",
        "<input disabled>",
        "&copy;",
        "⟦99⟧",
        "<pad>",
        "❤️",
        "↩\ufe0e",
        "1️⃣",
        "🏴󠁧󠁢󠁳󠁣󠁴󠁿",
        "👨‍👩‍👧‍👦",
    ],
)
def test_what_must_not_be_translated_is_found_whole(placeholder: str) -> None:
    assert found(f"The word {placeholder} is here") == [placeholder]


@pytest.mark.parametrize(
    "text",
    [
        "I am 50 % sure that it rains.",
        "I <3 you",
        "a < b and c > d",
        "e.g. this, i.e. that",
        "cats and/or dogs",
        "at 10:30 or 10:30:15",
        "Note: this is it",
        "3 in a row",
        "He is 5 years old.",
        "The end. Then more",
        "Fish & chips; bread & butter",
        "100 % of them; 5 % discount",
        "well-known facts",
        "It costs $5 or 5 $.",
        "the U.S. and the U.K.",
        "3.14 and 1,000.50",
        "A: b, c: d",
        "Mr. Smith's house",
        "an added facade",
        "It's decade defaced",
        "C# and F# are languages",
        "me and my friend @ home",
        "Kapitel 3.2",
        "Am 5. Mai 2024",
        "[1] and [x]",
        "What?! No...",
        "half-baked -- and more",
        "2 + 2 = 4",
        "the year 1987 and 2024",
        "They won 3:2.",
        "a well known YouTube video by McDonald",
        "ThE hOuSe Is SmAlL",
        "an open (not closed) door",
        "He said: (maybe) yes",
        "Options: a) one b) two",
        "_very_ and *very*",
        "{ this is open",
        "10 % off",
        "Tom's 1st and 2nd",
        "A4 and B2",
        "Nasceu em 1990 em Lisboa, 2 em cada 5",
        "In the 1990s and the early 2000s it rained.",
        "10 €/Monat, 50€/Nacht or 5\u00a0%/Jahr",
        "x" * 200,
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("See https://example.com.", ["https://example.com"]),
        ("(see https://example.com/a_(b))", ["https://example.com/a_(b)"]),
        ("Is it /etc/hosts?", ["/etc/hosts"]),
        ("Mail me@example.org, please", ["me@example.org"]),
        ("Open C:\\temp\\x.txt, then", ["C:\\temp\\x.txt"]),
        ("%d of %d, {a}{b}", ["%d", "%d", "{a}{b}"]),
        ("100%.", ["100%"]),
        ("<b>Hi</b>", ["<b>", "</b>"]),
        ('Say "%s".', ["%s"]),
        ("Look in %APPDATA%/x and $(HOME)/bin", ["%APPDATA%/x", "$(HOME)/bin"]),
    ],
)
def test_punctuation_around_a_placeholder_is_not_part_of_it(text: str, expected: list[str]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("I like 寿司 very much", "en", ["寿司"]),
        ("My friend Наташа Иванова", "de", ["Наташа Иванова"]),
        ("Say \u200fשלום\u200f", "en-GB", ["\u200fשלום\u200f"]),
        ("The angle α", "en", ["α"]),
        ("Łukasz Żółć in Kraków", "en", []),
        ("私は iPhone を見た", "ja", ["iPhone"]),
        ("Я люблю Берлин", "ru", []),
        ("I like 寿司", "", []),
    ],
)
def test_words_in_other_letters_are_found_where_the_language_is_written_in_latin_ones(
    text: str, language: str, expected: list[str]
) -> None:
    assert [stretch.replacement for stretch in find_placeholders(text, language)] == expected


def test_what_touches_is_one_but_characters_for_private_use_stay_alone() -> None:
    assert found("%d%% of <b>{name}</b>") == ["%d%%", "<b>{name}</b>"]
    assert found("{name}\ue000\ue001%s") == ["{name}", "\ue000", "\ue001", "%s"]


_FRAGMENTS = (
    *("a", "z", "É", "ß", "A", "ONNX", "camelCase", "snake_case", "func()", "Func() ", "()", "_"),
    *("foo", "bar.txt", "C:\\x", "http://x.de", "www.", "mailto:", "x@y.de", "a/b.py", "~/x", "//"),
    *("12", "5 kg", "3,5", "%", "%s", "{0}", "{{", "}}", "<b>", "<a b='c'>", "&amp;", "&", "`x`"),
    *(
        "\\n",
        "\\",
        ":smile:",
        ":)",
        ";-)",
        "🙂",
        "漢",
        "я",
        "#tag",
        "@me",
        "v1.2",
        "1.2.3",
        "--opt",
    ),
    *(
        "$x",
        "$(X)",
        "__X__",
        "-",
        "+49 30",
        "2020-01-02",
        "AB-12",
        "cm²",
        "H₂O",
        "▁",
        "⟦1⟧",
        ">>de<<",
    ),
    *(" ", ". ", ", ", "! ", "\n", ".", ",", ";", "'", '"', "(", ")", "[", "](x)", ":", ": ", "/"),
)


@given(st.lists(st.sampled_from(_FRAGMENTS), max_size=14).map("".join))
def test_patterns_that_cannot_begin_are_skipped_without_a_difference(text: str) -> None:
    patterns = [*chain.from_iterable(_PATTERNS.values()), _FOREIGN_WORDS]
    one_by_one = re.compile("|".join(f"(?:{each})" for each in patterns))
    expected = [match.span() for match in one_by_one.finditer(text)]
    assert [match.span() for match in _PLACEHOLDER_OR_FOREIGN.finditer(text)] == expected


@given(st.text() | st.text(st.sampled_from(list("{}%$<>/@.:#`\\1ax= \"'&;⟦⟧-_")), max_size=60))
def test_stretches_are_in_order_apart_and_say_what_is_there(text: str) -> None:
    end = 0
    for stretch in find_placeholders(text, "en"):
        assert end <= stretch.start < stretch.end <= len(text)
        assert text[stretch.start : stretch.end] == stretch.replacement
        end = stretch.end


@pytest.mark.parametrize(
    "unit",
    ["a", "{", "<a ", "%", "a.", "/a", "1.", "&", ":", "`", "@a", "-a", "a_", "+1 ", "[a](", "中 ",
     "{a, plural,{", "<a b='", "AbC", "1-", "\\", "a(", "\u200f"],
)  # fmt: skip
def test_hostile_text_takes_no_more_than_its_share_of_time(unit: str) -> None:
    find_placeholders(unit * 50_000, "en")
