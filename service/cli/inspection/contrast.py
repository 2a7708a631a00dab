"""`pellucid attention --contrast`: two translations as a table, token beside token."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.inspection.values import Contrast, InspectedPair

_MARK = "<"


def contrast_table(pair: "InspectedPair") -> str:
    """A line for each step: both tokens, and the difference of their log-probabilities in nats.

    The step at which the model chose is marked; a last line has the sum.

    Args:
        pair: With a contrast.
    """
    contrast = pair.contrast
    assert contrast is not None
    rows = _rows(pair, contrast)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        f"{one:{widths[0]}}  {other:{widths[1]}}  {difference:>{widths[2]}}"
        for one, other, difference in rows
    ]
    if contrast.first_difference is not None:
        lines[contrast.first_difference] += f" {_MARK}"
    return "\n".join(lines) + "\n"


def _rows(pair: "InspectedPair", contrast: "Contrast") -> list[tuple[str, str, str]]:
    own, others = pair.sentences[0].attention.target_tokens, contrast.target_tokens
    steps = [
        (
            "" if step.first is None else own[step.first],
            "" if step.second is None else others[step.second],
            f"{difference:+.2f}",
        )
        for step, difference in zip(contrast.steps, contrast.score_differences, strict=True)
    ]
    return [*steps, ("", "", f"{contrast.score_difference:+.2f}")]
