"""Inspected texts as a NumPy file: the values of the JSON reply, exact."""

from collections.abc import Iterator, Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from service.inspection.values import Contrast, InspectedPair, InspectedSentence
from service.text.alignment.word_links import pharaoh, words

Entry = tuple[str, NDArray[np.generic]]


def npz(pairs: Sequence[InspectedPair], *, is_list: bool) -> bytes:
    """A file for `numpy.load`, without pickles.

    Names are paths in the JSON: `cross` in a text of one sentence, `sentences.0.cross` in a text
    of several, and `1.cross` or `1.sentences.0.cross` in a list.

    Args:
        pairs: The texts.
        is_list: Whether the request had a list of texts.
    """
    entries: dict[str, NDArray[np.generic]] = {}
    for number, pair in enumerate(pairs):
        prefix = f"{number}." if is_list else ""
        entries.update((prefix + name, value) for name, value in pair_entries(pair))
    written = BytesIO()
    # `savez` has a parameter `file`; no entry has that name.
    np.savez(written, allow_pickle=False, **entries)
    return written.getvalue()


def pair_entries(pair: InspectedPair) -> Iterator[Entry]:
    """Names and values of one text."""
    yield "source", np.array(pair.source)
    yield "translation", np.array(pair.translation)
    if pair.contrast is not None:
        for name, value in _contrast(pair.contrast):
            yield f"contrast.{name}", value
    if len(pair.sentences) == 1:
        yield from _sentence(pair.sentences[0])
        return
    for number, sentence in enumerate(pair.sentences):
        path = f"sentences.{number}."
        yield path + "source", np.array(sentence.source)
        yield path + "translation", np.array(sentence.translation)
        yield path + "source_span", np.array(sentence.source_span)
        yield path + "target_span", np.array(sentence.target_span)
        for name, value in _sentence(sentence):
            yield path + name, value


def _contrast(contrast: Contrast) -> Iterator[Entry]:
    yield "translation", np.array(contrast.translation)
    yield "target_tokens", np.array(contrast.target_tokens)
    yield "token_scores", np.array(contrast.token_log_probs, dtype=np.float32)
    # Numbers where the JSON has objects; -1 where a translation has no token.
    steps = [[-1 if i is None else i for i in (s.first, s.second)] for s in contrast.steps]
    yield "steps", np.array(steps, dtype=np.int64).reshape(-1, 2)
    yield "score_differences", np.array(contrast.score_differences, dtype=np.float32)
    yield from contrast.maps.items()
    if contrast.contributions is not None:
        yield "contributions.source", contrast.contributions.source
        yield "contributions.target", contrast.contributions.target


def _sentence(sentence: InspectedSentence) -> Iterator[Entry]:
    attention = sentence.attention
    yield "source_tokens", np.array(attention.source_tokens)
    yield "target_tokens", np.array(attention.target_tokens)
    yield "token_scores", np.array(attention.token_log_probs, dtype=np.float32)
    yield from attention.maps.items()
    if (causes := attention.contributions) is not None:
        yield "contributions.method", np.array(causes.method)
        yield "contributions.source", causes.source
        yield "contributions.target", causes.target
        yield "contributions.prefix_tokens", np.array(causes.prefix_tokens)
        yield "contributions.source_share", causes.source_share
    if (states := attention.states) is not None:
        for name in ("queries", "keys", "values", "activations", "residual_norms"):
            yield f"states.{name}", getattr(states, name)
    for name, text in (("source", sentence.source), ("target", sentence.translation)):
        found = [text[begin:end] for begin, end in words(text)]
        yield f"alignment.{name}_words", np.array(found, dtype=np.str_)
    links = pharaoh(sentence.links, sentence.source, sentence.translation)
    # Numbers where the JSON has a string; two columns even without links.
    yield "alignment.pharaoh", np.array([link[:2] for link in links], np.int64).reshape(-1, 2)
    yield "alignment.weights", np.array([link[2] for link in links], dtype=np.float32)
    confidence = attention.confidence
    for name in ("value", "coverage_deviation", "absentmindedness"):
        yield f"confidence.{name}", np.array(getattr(confidence, name), dtype=np.float32)
