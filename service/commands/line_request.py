"""What is asked of the model, as the flags of `pellucid translate` have it."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.translation.values import TranslateRequest


def line_request(arguments: argparse.Namespace) -> "TranslateRequest":
    """All but the text and what its translation begins with, for a line or a file."""
    from service.translation.values import TranslateRequest

    return TranslateRequest(
        texts=(),
        source=arguments.source,
        target=arguments.target,
        beam_size=arguments.beam_size,
        length_penalty=arguments.length_penalty,
        max_target_tokens=arguments.max_target_tokens,
        min_target_tokens=arguments.min_target_tokens,
        max_length_factor=arguments.max_length_factor,
        no_repeat_ngram_size=arguments.no_repeat_ngram_size,
        num_alternatives=max(arguments.alternatives, 0),
    )
