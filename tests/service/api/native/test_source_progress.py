"""How much of the source the parts of a stream stand for."""

from dataclasses import replace

from service.api.native.source_progress import SourceProgress
from service.translation.values import SentenceTranslation, StreamedSentence

SENTENCE = SentenceTranslation(
    source="a",
    translation="b",
    source_span=(0, 1),
    target_span=(0, 1),
    source_tokens=("a", "</s>"),
    target_tokens=("b", "</s>"),
    score=-1.0,
    token_log_probs=(-0.5, -0.5),
    finish_reason="stop",
    truncated=False,
)


def _counts(texts: list[str], *parts: tuple[int, int | None, str]) -> list[int]:
    """Characters after each part: the text, the end of its sentence if it has one, its text."""
    progress = SourceProgress(texts)
    counts = []
    for index, end, text in parts:
        sentences = () if end is None else (replace(SENTENCE, source_span=(0, end)),)
        progress.add(StreamedSentence(text_index=index, text=text, sentences=sentences))
        counts.append(progress.num_chars)
    return counts


def test_sentence_counts_to_its_end() -> None:
    assert _counts(["One. Two. "], (0, 4, "Eins. "), (0, 9, "Zwei. ")) == [4, 9]


def test_next_text_says_that_the_one_before_is_finished() -> None:
    assert _counts(["One. ", "", "Two."], (0, 4, "Eins."), (2, 4, "Zwei.")) == [4, 9]


def test_markup_counts_by_its_length() -> None:
    parts = (0, None, "<p>"), (0, 4, "Eins."), (0, None, "</p>")
    assert _counts(["<p>One.</p>"], *parts) == [3, 7, 11]


def test_text_never_counts_more_than_it_has() -> None:
    assert _counts(["One."], (0, 9, "Eins."), (0, None, "x" * 99)) == [4, 4]
