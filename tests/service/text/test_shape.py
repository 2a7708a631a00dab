import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.shape import needs_model, trim

any_text = st.text(st.characters(exclude_categories=()))
marked_text = st.text(
    st.sampled_from(list("aI1.)(-*>#[ x]•😀\u200d\ufe0f\u20e3\n\ud800")), max_size=30
)


@given(any_text | marked_text)
def test_the_parts_are_the_text(text: str) -> None:
    parts = trim(text)
    assert parts.prefix + parts.core + parts.suffix == text


@given(any_text | marked_text)
def test_the_core_has_no_outer_white_space(text: str) -> None:
    core = trim(text).core
    assert core == core.strip()


@given(any_text | marked_text)
def test_nothing_for_the_model_is_in_the_shell_alone(text: str) -> None:
    if not trim(text).core:
        assert not any(len(word) > 4 for word in text.split() if word.isalpha())


@pytest.mark.parametrize(
    ("text", "prefix", "core", "suffix"),
    [
        ("Hello", "", "Hello", ""),
        ("  Hello\t", "  ", "Hello", "\t"),
        ("- Buy milk", "- ", "Buy milk", ""),
        ("* Buy milk", "* ", "Buy milk", ""),
        ("  • Buy milk", "  • ", "Buy milk", ""),
        ("•Buy milk", "•", "Buy milk", ""),
        ("1. Open it", "1. ", "Open it", ""),
        ("12) Open it", "12) ", "Open it", ""),
        ("(3) Open it", "(3) ", "Open it", ""),
        ("1.2. Scope", "1.2. ", "Scope", ""),
        ("a) Yes", "a) ", "Yes", ""),
        ("(iv) No", "(iv) ", "No", ""),
        ("> I wrote", "> ", "I wrote", ""),
        (">> > I wrote", ">> > ", "I wrote", ""),
        (">>de<< I wrote", "", ">>de<< I wrote", ""),
        ("## Title", "## ", "Title", ""),
        ("- [x] Done", "- [x] ", "Done", ""),
        ("- [ ] 1. Open", "- [ ] 1. ", "Open", ""),
        ("☐ Open", "☐ ", "Open", ""),
        ("→ Next", "→ ", "Next", ""),
        ("– Nein", "– ", "Nein", ""),
        ("🎉 We won! 🎉🎉", "🎉 ", "We won!", " 🎉🎉"),
        ("🇩🇪👍🏽 Hi ❤️ ", "🇩🇪👍🏽 ", "Hi", " ❤️ "),
        ("1️⃣ First", "1️⃣ ", "First", ""),
        ("😀", "😀", "", ""),
        (" ", " ", "", ""),
        ("", "", "", ""),
        # Looks like a list, but is none.
        ("3. Oktober 1990", "", "3. Oktober 1990", ""),
        ("3.5 million", "", "3.5 million", ""),
        ("-5 degrees", "", "-5 degrees", ""),
        ("1990. That was it", "", "1990. That was it", ""),
        ("#1 is best", "", "#1 is best", ""),
        ("#hashtag", "", "#hashtag", ""),
        ("*very* good", "", "*very* good", ""),
        ("I am", "", "I am", ""),
        ("Call (a) me", "", "Call (a) me", ""),
        ("A. Smith", "", "A. Smith", ""),
        ("© 2020 Foo", "", "© 2020 Foo", ""),
        ("I 😀 you", "", "I 😀 you", ""),
        ("क्\u200d", "", "क्\u200d", ""),
    ],
)
def test_marks_around_the_words_stay_outside(
    text: str, prefix: str, core: str, suffix: str
) -> None:
    parts = trim(text)
    assert (parts.prefix, parts.core, parts.suffix) == (prefix, core, suffix)


@pytest.mark.parametrize(
    "text",
    [
        *["", " \n", "…", "?!", "---", "\x00", "\ud800", "\u200b"],
        *["42", "12,5 €", "$3.50", "50 %", "2020-01-31", "10:30", "½", "①", "+49 30 1234"],
        *["😀", "👩‍👩‍👧", "🇩🇪 👍🏽", "1️⃣", "ℹ️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"],
        *[
            "https://example.com/a?b=c#d",
            "<https://example.com>",
            "www.example.com.",
            "example.com",
        ],
        *["ftp://x.org/y", "mailto:a@b.de", "j.doe+x@mail.example.org", "(a@b.de),"],
        *["/etc/hosts", "./run.sh", "../a/b", "~/notes", "C:\\temp\\x.txt", "\\\\host\\share"],
        *["docs/index.html", "readme.txt", "https://a.de 😀 https://b.de", "v1.2.3"],
    ],
)
def test_what_is_the_same_everywhere_needs_no_model(text: str) -> None:
    assert not needs_model(text)


@pytest.mark.parametrize(
    "text",
    [
        *["Hello", "a", "日本", "é", "OK", "and/or", "e.g.", "z.B.", "Hello.World"],
        *["See https://example.com", "5 km", "Mail a@b.de", "/ or", "a@b", "😀 hi"],
    ],
)
def test_words_need_the_model(text: str) -> None:
    assert needs_model(text)


@pytest.mark.parametrize(
    "unit",
    ["> ", "- ", "1.", "(", "#", "😀 ", "\u200d", "a\u200d", "a.", "a/", "a@", "x-", " ", "["],
)
def test_hostile_texts_of_any_size_have_a_shape(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    parts = trim(text)
    assert parts.prefix + parts.core + parts.suffix == text
    assert needs_model(text) == any(character.isalpha() for character in unit)


@pytest.mark.parametrize(
    ("text", "core"),
    [
        ("\u202b- Where is it? 👍\u202c", "Where is it?"),
        ("\u2067Where is it?\u2069", "Where is it?"),
        ("\u2068Anna\u2069 saw \u2068Bob\u2069", "\u2068Anna\u2069 saw \u2068Bob\u2069"),
        ("\u2068Anna\u2069 saw it", "\u2068Anna\u2069 saw it"),
    ],
)
def test_marks_of_direction_around_the_whole_sentence_are_not_in_its_core(
    text: str, core: str
) -> None:
    assert trim(text).core == core
