"""Sentences with the boundaries that a reader finds; `¦` stands before each next sentence."""

from pathlib import Path

import pytest

from service.text.segmentation.sentence_ends import sentence_starts

CASES = [
    line.split("\t")
    for line in (Path(__file__).parent / "sentence_ends.tsv").read_text("utf-8").splitlines()
]
LEFT_TOGETHER = {
    "It was plan B. ¦Nobody liked it.": "an initial",
    "Visit https://example.com/a.html?b=c.d. ¦Then call us.": "an initial",
    "a) Open the door. ¦b) Walk in.": "a small letter",
    "Bzgl. Ihrer Frage vgl. Abs. 3 Nr. 5. ¦Viele Grüße.": "an ordinal",
    "Siehe Abb. 3 bzw. Tab. 4. ¦Weiter geht es.": "an ordinal",
    "Er kam um 5. ¦Sie kam um 6.": "an ordinal",
    "Ich bin 20. ¦Du bist 30.": "an ordinal",
    "Äpfel, Birnen usw. ¦Das alles ist Obst.": "an abbreviation",
    "そうか……¦わかった。": "no full stop",
    "他说：“我来了。”¦她笑了。": "a quotation that goes on",
}
"""Where a reader finds an end and we do not, and what we take it for."""
CUT_ELSEWHERE = {"Great news! 🎉 ¦We won."}


def starts(marked: str) -> list[int]:
    parts = marked.split("¦")
    return [len("".join(parts[:count])) for count in range(1, len(parts))]


@pytest.mark.parametrize(("language", "marked"), CASES, ids=[marked for _, marked in CASES])
def test_sentences_end_where_a_reader_says(language: str, marked: str) -> None:
    found = sentence_starts(marked.replace("¦", ""), language)
    if marked in CUT_ELSEWHERE:
        assert found != starts(marked)
    elif marked in LEFT_TOGETHER:
        assert set(found) < set(starts(marked))
    else:
        assert found == starts(marked)


def test_the_exceptions_are_in_the_table() -> None:
    assert LEFT_TOGETHER.keys() | CUT_ELSEWHERE <= {marked for _, marked in CASES}


@pytest.mark.parametrize("language", ["de", "de-AT", "DE"])
def test_a_region_changes_no_rule(language: str) -> None:
    assert sentence_starts("Am 3. Mai. Gut.", language) == [11]


@pytest.mark.parametrize("language", ["xx", "", "zh-Hant"])
def test_an_unknown_language_gets_general_rules(language: str) -> None:
    assert sentence_starts("One. Two! Three?", language) == [5, 10]


@pytest.mark.parametrize(
    "line",
    ["Hi.\u200b How are you?", "Hi?\u200f How are you?", "H\u00adi. \ufeffHow are you?"],
)
def test_invisible_characters_hide_no_end(line: str) -> None:
    (start,) = sentence_starts(line, "en")
    assert line[:start].endswith(" ")
    assert line[start:].removeprefix("\ufeff") == "How are you?"
