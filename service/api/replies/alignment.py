"""Which word became which, and how sure the attention looks, as replies say it."""

from pydantic import BaseModel, ConfigDict

from service.inspection.values import InspectedSentence
from service.text.alignment.word_links import pharaoh, words


class _Reply(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class AlignmentReply(_Reply):
    """Words of both sides; a punctuation mark is one, too."""

    source_words: list[str]
    target_words: list[str]
    pharaoh: str
    """Pairs of word numbers, source first, from 0: `0-0 1-2`."""
    weights: list[float]
    """Attention of each pair, from 0 to 1."""


class ConfidenceReply(_Reply):
    """How much attention looks like that of a good translation; docs/attention.md defines it."""

    value: float
    """From 0 to 1, the best."""
    coverage_deviation: float
    """0 if every source token is looked at once in sum, nats."""
    absentmindedness: float
    """From 0, at one token, to 1, at all alike."""


def alignment_content(sentence: InspectedSentence) -> dict[str, object]:
    """Both of a sentence."""
    pairs = pharaoh(sentence.links, sentence.source, sentence.translation)
    confidence = sentence.attention.confidence
    return {
        "alignment": {
            "source_words": [sentence.source[slice(*span)] for span in words(sentence.source)],
            "target_words": [
                sentence.translation[slice(*span)] for span in words(sentence.translation)
            ],
            "pharaoh": " ".join(f"{source}-{target}" for source, target, _ in pairs),
            "weights": [weight for *_, weight in pairs],
        },
        "confidence": {
            "value": confidence.value,
            "coverage_deviation": confidence.coverage_deviation,
            "absentmindedness": confidence.absentmindedness,
        },
    }
