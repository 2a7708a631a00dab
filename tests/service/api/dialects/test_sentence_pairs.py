"""The pairs of `translate_a/single`, joined, are the text and its translation."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from service.api.dialects.google.web import sentence_pairs
from service.translation.values import SentenceTranslation, Translation

_SENTENCE = SentenceTranslation(
    source="",
    translation="",
    source_span=(0, 0),
    target_span=(0, 0),
    source_tokens=(),
    target_tokens=(),
    score=0.0,
    token_log_probs=(),
    finish_reason="stop",
    truncated=False,
)
_PARTS = st.lists(st.tuples(st.text(), st.text(), st.text()), max_size=5)
"""What stands before a sentence, the sentence, and its translation."""


def _translation(parts: list[tuple[str, str, str]], end: str) -> tuple[str, Translation]:
    text = target = ""
    sentences = []
    for gap, source, translated in parts:
        text, target = text + gap, target + gap
        sentences.append(
            replace(
                _SENTENCE,
                source_span=(len(text), len(text) + len(source)),
                target_span=(len(target), len(target) + len(translated)),
            )
        )
        text, target = text + source, target + translated
    return text + end, Translation(text=target + end, sentences=tuple(sentences))


@given(_PARTS, st.text())
def test_joined_they_are_the_whole_texts(parts: list[tuple[str, str, str]], end: str) -> None:
    text, translation = _translation(parts, end)
    pairs = sentence_pairs(text, translation)
    assert "".join(target for target, _ in pairs) == translation.text
    assert "".join(source for _, source in pairs) == text
    assert len(pairs) == max(1, len(parts))


def test_a_pair_is_a_sentence_and_the_space_behind_it() -> None:
    text, translation = _translation([("", "One.", "Eins."), (" ", "Two.", "Zwei.")], "\n")
    assert sentence_pairs(text, translation) == [("Eins. ", "One. "), ("Zwei.\n", "Two.\n")]
