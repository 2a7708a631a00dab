"""What an emoji is: one picture, however many characters it is made of."""

import re

_PICTURE = "\u231a-\u23ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"
_ATTACHED = "\u200d\u20e3\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f"
"""Joiner, keycap, variation selector, skin tones, and the letters in a region's flag."""

EMOJI = re.compile(
    rf"[0-9#*]\ufe0f?\u20e3"
    rf"|[\xa9\xae\u203c-\u3299]\ufe0f"  # letters and arrows that a selector turns into pictures
    rf"|[{_PICTURE}][{_ATTACHED}{_PICTURE}]*+"
)
"""One or more of them: between two, nothing is worth a cut."""
_IN_EMOJI = re.compile(rf"[{_ATTACHED}{_PICTURE}\s]")


def trailing_emoji_start(text: str) -> int:
    """Where the emoji and the white space at the end of `text` begin; its length if none."""
    start = len(text)
    while start and _IN_EMOJI.match(text, start - 1):
        start -= 1
    # A joiner or a selector behind a letter is part of how that is written.
    while start < len(text) and not (text[start].isspace() or EMOJI.match(text, start)):
        start += 1
    return start
