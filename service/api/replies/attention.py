"""Inspected sentences as replies: attention maps, word alignments and confidence."""

from typing import Literal

from service.api.replies.json import Json, Reply, content_of
from service.inspection.values import AttentionMaps, Contrast, InspectedPair, InspectedSentence
from service.text.alignment.word_links import pharaoh, words

AttentionMap = list[list[list[list[float]]]]
"""[layer][head][query][key]; each row sums to 1."""


class ContributionsReply(Reply):
    """What each target token comes from; a row of `source` and of `target` sums to 1."""

    method: Literal["rollout", "value_zeroing", "alti", "occlusion"]
    """By which they were computed."""
    source: list[list[float]]
    """[target][source]: shares of the source tokens."""
    target: list[list[float]]
    """[target][prefix]: shares of the tokens before each one, lower-triangular."""
    prefix_tokens: list[str]
    """The columns of `target`: the start token `<s>`, then every target token but the last."""
    source_share: list[float]
    """Of each target token, how much came from the source: the sum of its row of `source`."""


class StatesReply(Reply):
    """What layers of the encoder compute for each source token."""

    queries: list[list[list[list[float]]]]
    """[layer][head][source][channel], before any rotation by positions."""
    keys: list[list[list[list[float]]]]
    """Likewise."""
    values: list[list[list[list[float]]]]
    """Likewise."""
    activations: list[list[list[float]]]
    """[layer][source][channel], behind the activation of the feed-forward."""
    residual_norms: list[list[float]]
    """[place][source], Euclidean: of the embeddings, then behind the attention and behind the
    feed-forward of every layer, whichever were asked for."""


class MapsReply(Reply):
    """Attention of one sentence pair; only the kinds that were asked for are there."""

    source_tokens: list[str]
    """Source pieces as the model saw them, `</s>` included."""
    target_tokens: list[str]
    """Pieces that each query row predicts, `</s>` included."""
    token_scores: list[float]
    """Log-probability of each target token, nats."""
    encoder: AttentionMap | None = None
    """[layer][head][query][key] over source tokens; each row sums to 1."""
    decoder: AttentionMap | None = None
    """[layer][head][query][key] over target tokens, lower-triangular."""
    decoder_cell: Literal["ssru"] | None = None
    """Only with `decoder`, of a recurrent model: its maps are no attention but what the state of
    the recurrence still holds of each earlier token, as shares."""
    cross: AttentionMap | None = None
    """[layer][head][query][key] from target to source tokens."""
    contributions: ContributionsReply | None = None
    """Only with another `method` than `attention`, in place of maps."""
    states: StatesReply | None = None
    """Only if they were asked for."""


class AlignmentReply(Reply):
    """Words of both sides; a punctuation mark is one, too."""

    source_words: list[str]
    """Words of the source, in order."""
    target_words: list[str]
    """Words of the translation, in order."""
    pharaoh: str
    """Pairs of word numbers, source first, from 0: `0-0 1-2`."""
    weights: list[float]
    """Attention of each pair, from 0 to 1."""


class ConfidenceReply(Reply):
    """How much attention looks like that of a good translation; docs/attention.md defines it."""

    value: float
    """From 0 to 1, the best."""
    coverage_deviation: float
    """0 if every source token is looked at once in sum, nats."""
    absentmindedness: float
    """From 0, at one token, to 1, at all alike."""


class InspectedSentenceReply(MapsReply):
    """One sentence of a text with its attention."""

    source: str
    """The sentence."""
    translation: str
    """Of this sentence."""
    source_span: tuple[int, int]
    """Character offsets in the text, end exclusive."""
    target_span: tuple[int, int]
    """Character offsets in the translation, end exclusive."""
    alignment: AlignmentReply
    """Which word came from which."""
    confidence: ConfidenceReply
    """How likely the translation is to be accepted."""


class StepReply(Reply):
    """Tokens of both translations side by side."""

    token: int | None
    """Index in `target_tokens` of the translation; null: it has none here."""
    contrast_token: int | None
    """Index in `target_tokens` of the contrast; null: it has none here."""
    score_difference: float
    """Log-probability of the one minus that of the other, nats; a missing token counts as 0."""


class ContributionDifferenceReply(Reply):
    """What speaks for the translation's tokens more than for the other's."""

    source: list[list[float]]
    """[step][source]: differences of the source tokens' shares."""
    target: list[list[float]]
    """[step][1 + step]: of the start token, then of the token of each step."""


class ContrastReply(Reply):
    """The translation minus another one of the same source."""

    translation: str
    """The other one."""
    target_tokens: list[str]
    """Output pieces of the other translation."""
    token_scores: list[float]
    """Log-probability of each of them, nats."""
    score_difference: float
    """Log-probability of the translation minus that of the other, nats: the sum over `steps`."""
    first_difference: int | None
    """The step at which the model chose between the two; null: their tokens are the same."""
    steps: list[StepReply]
    """Token by token, from the first difference."""
    cross: AttentionMap | None = None
    """[layer][head][step][key] over source tokens: differences of weights."""
    decoder: AttentionMap | None = None
    """[layer][head][step][step]: differences of weights."""
    contributions: ContributionDifferenceReply | None = None
    """In place of maps, with a method other than attention."""


class InspectedTextReply(Reply):
    """A text with its attention.

    A text that is one sentence carries that sentence's fields; a text of several (or of none)
    carries `sentences` in their place.
    """

    source: str
    """The text."""
    translation: str
    """Of the whole text."""
    source_tokens: list[str] | None = None
    """Input pieces of the model; keys of the maps."""
    target_tokens: list[str] | None = None
    """Output pieces of the model; queries of the maps."""
    token_scores: list[float] | None = None
    """Log-probability of each target token, nats."""
    encoder: AttentionMap | None = None
    """Of source tokens to source tokens, [layer][head][query][key]."""
    decoder: AttentionMap | None = None
    """Of target tokens to earlier ones, [layer][head][query][key]."""
    decoder_cell: Literal["ssru"] | None = None
    """Where the decoder has a recurrence: what `decoder` shows."""
    cross: AttentionMap | None = None
    """Of target tokens to source tokens, [layer][head][query][key]."""
    contributions: ContributionsReply | None = None
    """Of another method than attention, in place of the maps."""
    states: StatesReply | None = None
    """What layers of the encoder compute, if it was asked for."""
    alignment: AlignmentReply | None = None
    """Which word came from which."""
    confidence: ConfidenceReply | None = None
    """How likely the translation is to be accepted."""
    sentences: list[InspectedSentenceReply] | None = None
    """Of a text that is not one sentence: each with its maps."""
    contrast: ContrastReply | None = None
    """If another translation was given to compare with."""


def inspected_content(pair: InspectedPair) -> Json:
    """Body of `POST /attention` for one text, as `InspectedTextReply` declares it."""
    content: Json = {"source": pair.source, "translation": pair.translation}
    if pair.contrast is not None:
        content["contrast"] = _contrast(pair.contrast)
    if len(pair.sentences) == 1:
        return content | _inspection(pair.sentences[0])
    return content | {"sentences": [_sentence_content(s) for s in pair.sentences]}


def maps_content(attention: AttentionMaps) -> Json:
    """Tokens, and maps in the order in which they were asked for, as `MapsReply` declares them."""
    content = content_of(MapsReply, attention, token_scores="token_log_probs") | attention.maps  # nosec B106 - no password: the name of a field
    if attention.contributions is not None:
        content["contributions"] = content_of(ContributionsReply, attention.contributions)
    if attention.states is not None:
        content["states"] = content_of(StatesReply, attention.states)
    is_recurrence = attention.cell == "ssru" and "decoder" in attention.maps
    return content | ({"decoder_cell": "ssru"} if is_recurrence else {})


def _contrast(contrast: Contrast) -> Json:
    steps = [
        StepReply(token=step.first, contrast_token=step.second, score_difference=difference)
        for step, difference in zip(contrast.steps, contrast.score_differences, strict=True)
    ]
    content: Json = {
        "translation": contrast.translation,
        "target_tokens": contrast.target_tokens,
        "token_scores": contrast.token_log_probs,
        "score_difference": contrast.score_difference,
        "first_difference": contrast.first_difference,
        "steps": [step.model_dump() for step in steps],
    }
    if contrast.contributions is not None:
        found = content_of(ContributionDifferenceReply, contrast.contributions)
        content["contributions"] = found
    return content | contrast.maps


def _sentence_content(sentence: InspectedSentence) -> Json:
    return {
        "source": sentence.source,
        "translation": sentence.translation,
        "source_span": sentence.source_span,
        "target_span": sentence.target_span,
        **_inspection(sentence),
    }


def _inspection(sentence: InspectedSentence) -> Json:
    return {
        **maps_content(sentence.attention),
        "alignment": _alignment(sentence),
        "confidence": content_of(ConfidenceReply, sentence.attention.confidence),
    }


def _alignment(sentence: InspectedSentence) -> AlignmentReply:
    pairs = pharaoh(sentence.links, sentence.source, sentence.translation)
    return AlignmentReply(
        source_words=_words(sentence.source),
        target_words=_words(sentence.translation),
        pharaoh=" ".join(f"{source}-{target}" for source, target, _ in pairs),
        weights=[weight for *_, weight in pairs],
    )


def _words(text: str) -> list[str]:
    return [text[start:end] for start, end in words(text)]
