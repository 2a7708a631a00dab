"""Characters that no model should see, and where the others stand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.invisible import INVISIBLE, visible_part

texts = st.text(st.sampled_from(list("ab \u00ad\u200b\u200f\u2060\ufeff\u200d\ue000")), max_size=20)


@pytest.mark.parametrize(
    "mark",
    [
        *"\u00ad\u034f\u061c\u200b\u200e\u200f\u2060\u2063\u206a\ufeff\ufff9",
        *"\x00\x01\x08\x0e\x1b\x7f\x80\x84\x86\x9f",  # controls
        *"\u200c\u200d\ufe00\ufe0e\ufe0f\U000e0041\U000e0100",  # attached to nothing
        "\u200d\u200c\ufe0f",
    ],
)
def test_what_cannot_be_seen_is_left_out(mark: str) -> None:
    assert visible_part(f"{mark}a{mark}b{mark}").text == "ab"


@pytest.mark.parametrize(
    "text",
    [
        "می\u200cخواهم",
        "\u200dه ه\u200d",
        "क्\u200dष",
        "葛\U000e0100",
        "👩\u200d💻",
        "❤\ufe0f\u200d🔥 ↩\ufe0e ©\ufe0f 1\ufe0f\u20e3",
        "🏴\U000e0067\U000e0062\U000e007f",
        "a\xa0b\tc\nd\x0be\x1ff\x85g",
        "é",
    ],
)
def test_joiners_marks_and_spaces_stay(text: str) -> None:
    assert not INVISIBLE.search(text)
    assert visible_part(text).text == text


def test_kept_spans_stay_as_they_are() -> None:
    assert visible_part("a\u00adb c\u00add", kept=[(4, 7)]).text == "ab c\u00add"


@given(texts)
def test_spans_lead_to_the_same_characters(text: str) -> None:
    visible = visible_part(text)
    for start in range(len(visible.text)):
        for end in range(start + 1, len(visible.text) + 1):
            whole = text[slice(*visible.whole_span(start, end))]
            assert visible_part(whole).text == visible.text[start:end]
            assert (whole[0], whole[-1]) == (visible.text[start], visible.text[end - 1])
        assert visible.whole_span(start, start) == (visible.behind(start),) * 2
