"""Texts, and one among them on which a model with a fault fails: its length is how it is known."""

from tests.data.toy_language import sentence_pairs
from tests.service.tiny_models import tiny_bundle


def texts_and_poison(count: int) -> tuple[list[str], str, int]:
    """Texts, one among them, and its tokens, which no other text has as many of."""
    bundle = tiny_bundle()
    pair = bundle.manifest.pairs[0]
    by_length: dict[int, list[str]] = {}
    for text, _ in sentence_pairs(200, seed=3):
        by_length.setdefault(len(bundle.tokenizer.encode_source(text, pair)), []).append(text)
    length = max(by_length)
    poison = by_length.pop(length)[0]
    texts = [text for alike in by_length.values() for text in alike][: count - 1]
    return [*texts[: count // 2], poison, *texts[count // 2 :]], poison, length


TEXTS, POISON, POISON_LENGTH = texts_and_poison(24)
