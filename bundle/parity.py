"""How far the graphs of a bundle are from their network, and from the program that trained it."""

from typing import Annotated

from pydantic import Field

from bundle.value import Positive, Share, Value


class OriginalParity(Value):
    """How far the graphs are from the program that a foreign checkpoint belongs to (both fp32)."""

    implementation: str
    """Library and version."""
    sentences: Annotated[int, Field(ge=0)]
    """Decoded by both."""
    max_logit_error: Annotated[float, Field(ge=0)]
    """Largest difference of a logit along the original's greedy translations; of a step with
    logits over 5, divided by a fifth of the largest."""
    identical_sentences: Annotated[int, Field(ge=0)]
    """Greedy translations that are the same."""
    beam_size: Positive
    """Of the search that was compared."""
    beams: Annotated[int, Field(ge=0)]
    """Sentences whose best hypothesis ended by itself; others are not compared."""
    identical_beams: Annotated[int, Field(ge=0)]
    """Best hypotheses of a beam, without length penalty, that are the same."""
    max_score_error: Annotated[float, Field(ge=0)]
    """Largest difference of their log-probabilities, over what the original gives."""


class ParityReport(Value):
    """How far the exported graphs are from the network that was trained (both fp32)."""

    encoder_max_error: Annotated[float, Field(ge=0)]
    """Largest absolute difference of the cross-attention keys and values."""
    first_step_max_error: Annotated[float, Field(ge=0)]
    """Of logits; of a step with logits over 5, divided by a fifth of the largest."""
    later_steps_max_error: Annotated[float, Field(ge=0)]
    """Largest difference of a logit after the first step."""
    ragged_batch_max_error: Annotated[float, Field(ge=0)]
    """Largest difference of a logit in a batch of unequal lengths."""
    attention_max_error: Annotated[float, Field(ge=0)]
    """Of maps and log-probabilities, against one teacher-forced pass."""
    cached_attention_max_error: Annotated[float, Field(ge=0)] | None = None
    """Likewise, against maps collected token by token from the cached decoder; None in bundles
    that were exported before this was measured."""
    sentences: Annotated[int, Field(ge=0)]
    """Sentences decoded greedily by both."""
    identical_sentences: Annotated[int, Field(ge=0)]
    """Greedy translations that both wrote alike."""
    token_agreement: Share
    """Share of steps at which both chose the same token."""
    original: OriginalParity | None = None
    """None: trained here, or the original program was not installed."""
