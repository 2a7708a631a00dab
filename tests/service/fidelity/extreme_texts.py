"""Texts whose size or shape makes careless code slow."""

from tests.service.fidelity.nasty_text import NastyText, table
from tests.service.fidelity.properties import (
    BLOCKS,
    UNCHANGED,
    mentions,
    verbatim,
)

_LETTERS = "abcdefghijklmnopqrstuvwxyz"

EXTREMES = table(
    "extremes",
    [
        ("no_space_100_kb", "house" * 20_000),
        ("one_letter_100_kb", "a" * 100_000),
        ("digits_100_kb", "7" * 100_000, UNCHANGED),
        ("spaces_100_kb", " " * 100_000, UNCHANGED),
        ("blank_lines_10_000", "Anna is here." + "\n" * 10_001 + "Peter is here."),
        ("crlf_blank_lines_10_000", "Anna is here." + "\r\n" * 10_001 + "Peter is here."),
        ("lines_of_space_10_000", "Anna is here.\n" + " \n" * 10_000 + "Peter is here."),
        ("full_stops_100_kb", "." * 100_000, UNCHANGED),
        ("question_marks_and_words", "Anna?" * 2_000),
        ("emoji_10_000", "😀" * 10_000, UNCHANGED),
        ("joined_emoji_5_000", "👩\u200d" * 5_000 + "👩", UNCHANGED),
        ("marks_on_a_letter_20_000", "The house a" + "\u0301" * 20_000 + " is small."),
        ("brackets_20_000", "(" * 10_000 + "house" + ")" * 10_000),
        ("quotes_20_000", '"' * 20_000 + "house"),
        ("braces_20_000", "{" * 20_000 + " house"),
        ("placeholders_1_000", "{name} " * 999 + "{name}", UNCHANGED),
        ("placeholders_in_a_sentence", "The house " + "{name} " * 200 + "is small.",
         verbatim("{name}")),
        ("less_than_20_000", "<" * 20_000 + " house"),
        ("ampersands_20_000", "&" * 20_000 + " house"),
        ("backticks_20_001", "`" * 20_001 + " house"),
        ("at_signs_20_000", "a@" * 10_000 + " house"),
        ("colons_20_000", ":a" * 10_000 + " house"),
        ("slashes_20_000", "/a" * 10_000 + " house"),
        ("dots_and_letters_20_000", "a." * 10_000 + " house"),
        ("url_of_20_000", "https://example.org/" + "a/" * 10_000, UNCHANGED),
        ("many_short_lines", "House\n" * 500 + "Anna", mentions("Anna")),
        ("one_word_often", "house " * 2_000 + "Anna"),
        ("commas_5_000", "house," * 2_500 + "Anna"),
        ("hyphens_in_a_word", "house-" * 2_000 + "Anna"),
    ],
)  # fmt: skip

EXTREME_MARKUP = table(
    "extremes",
    [
        ("nested_b_50_000", "<b>" * 50_000 + "The house is small." + "</b>" * 50_000),
        ("nested_div_50_000", "<div>" * 50_000 + "The house is small." + "</div>" * 50_000, BLOCKS),
        ("unclosed_b_50_000", "<b>" * 50_000 + "The house is small."),
        ("unopened_b_50_000", "The house is small." + "</b>" * 50_000),
        ("empty_tags_20_000", "<b></b>" * 20_000, UNCHANGED),
        ("entities_20_000", "&amp;" * 20_000, UNCHANGED),
        ("tags_between_letters", "".join(f"<b>{x}</b>" for x in _LETTERS * 4)),
        ("attribute_of_50_000", f'<a title="{"a" * 50_000}">The house</a> is small.'),
        ("attributes_5_000", "<a " + " ".join(f"x{i}=1" for i in range(5_000)) + ">House</a>"),
    ],
    format="html",
)

TAG_SOUP = table(
    "extremes",
    [
        ("html_less_than_50_000", "<" * 50_000 + " house"),
        ("comment_openings_20_000", "<!--" * 20_000),
        ("quote_openings_20_000", '<a title="' * 20_000),
    ],
    format="html",
    has_tags=False,
)

EXTREME_TEXTS: tuple[NastyText, ...] = (*EXTREMES, *EXTREME_MARKUP, *TAG_SOUP)
