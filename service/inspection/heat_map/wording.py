"""Headings and labels of attention maps, the same in every format."""

import unicodedata

from service.engine.inspection import AttentionKind
from service.inspection.values import AttentionMaps, AttentionSelection, Contributions, Method

HEADINGS: dict[AttentionKind, str] = {
    "encoder": "Encoder: rows are source tokens, columns the source tokens that they looked at",
    "decoder": "Decoder: rows are places in the translation, columns the places that they looked "
    "back at, both named by the token written there",
    "cross": "Cross: rows are tokens of the translation, columns the source tokens that the model "
    "looked at when it wrote them",
}
_RECURRENCE = (
    "Decoder: what its recurrence still remembers when it writes a row's token, as shares of the "
    "columns' tokens (not attention)"
)
_SPACE = "▁"
"""SentencePiece's sign for the space before a word."""
_MAX_LABEL = 24
_NOT_IN_XML = dict.fromkeys(
    [*range(9), 11, 12, *range(14, 32), *range(127, 160), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF],
    "�",
)
_OF_A_LETTER = 0.62
"""Mean width of a letter relative to the type size; ideographs have 1."""


def heading(kind: AttentionKind, attention: AttentionMaps) -> str:
    """What the maps of a kind show."""
    is_recurrence = kind == "decoder" and attention.cell == "ssru"
    return _RECURRENCE if is_recurrence else HEADINGS[kind]


CONTRIBUTIONS: dict[Method, str] = {
    "rollout": "attention rollout",
    "value_zeroing": "value zeroing",
    "alti": "ALTI",
    "occlusion": "occlusion",
}


def contributions_heading(contributions: Contributions) -> str:
    """What contributions show."""
    return (
        f"Contributions by {CONTRIBUTIONS[contributions.method]}: rows are tokens of the "
        "translation, columns what they come from: source tokens, then tokens written before"
    )


def panel_name(row: int, column: int, selection: AttentionSelection) -> str:
    """Name of the map in a row and column of the grid, by the selected layer and head."""
    if selection.method != "attention":
        return CONTRIBUTIONS[selection.method]
    if selection.reduce == "all":
        return "mean of layers and heads"
    layer = row if selection.layers is None else selection.layers[row]
    if selection.reduce == "heads":
        return f"layer {layer}, mean of heads"
    head = column if selection.heads is None else selection.heads[column]
    return f"layer {layer}, head {head}"


def printable(text: str) -> str:
    """`text` on one line, with a replacement for characters that XML forbids."""
    return " ".join(text.translate(_NOT_IN_XML).split())


def token_label(token: str) -> str:
    """Label of a token: short, on one line, with an underscore for a space."""
    shown = printable(token).replace(_SPACE, "_")
    return shown if len(shown) <= _MAX_LABEL else shown[: _MAX_LABEL - 1] + "…"


def width_of(text: str, size: int) -> int:
    """Estimated width of a text in a sans serif type, pixels."""
    return round(size * sum(_width_of_character(character) for character in text))


def _width_of_character(character: str) -> float:
    if unicodedata.combining(character):
        return 0.0
    return 1.0 if unicodedata.east_asian_width(character) in "WF" else _OF_A_LETTER
