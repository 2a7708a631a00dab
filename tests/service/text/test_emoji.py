import pytest

from service.text.shape import EMOJI, trailing_emoji_start


@pytest.mark.parametrize(
    "emoji",
    [
        "😀",
        "❤️",
        "👍🏽",
        "👩‍👩‍👧",
        "🇩🇪",
        "1️⃣",
        "☐",
        "✔️",
        "⭐",
        "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
        "🏳️‍🌈",
        "©️",
        "⌚",
        "↔️",
        "ℹ️",
        "👍👎",
    ],
)
def test_emoji_are_matched_whole(emoji: str) -> None:
    assert EMOJI.fullmatch(emoji)


@pytest.mark.parametrize("text", ["a", "1", "#", "©", "é", "中", "→", "\u200d", "\ufe0f", "€"])
def test_letters_digits_and_signs_are_none(text: str) -> None:
    assert EMOJI.match(text) is None


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("Hi 😀", " 😀"),
        ("Hi😀 👍🏽 ", "😀 👍🏽 "),
        ("😀", "😀"),
        ("Hi", ""),
        ("Hi ", " "),
        ("क्\u200d", ""),
        ("क्\u200d 😀", " 😀"),
        ("", ""),
    ],
)
def test_the_end_of_a_text_is_found(text: str, end: str) -> None:
    assert text[trailing_emoji_start(text) :] == end
