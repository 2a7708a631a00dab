"""Lays out a figure: a row of maps for each layer, a column for each head."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from service.engine.inspection import AttentionKind
from service.inspection.heat_map.figure import CELL, Figure, Label, LabelStyle, Panel, shades
from service.inspection.heat_map.wording import (
    contributions_heading,
    heading,
    panel_name,
    printable,
    token_label,
    width_of,
)
from service.inspection.values import (
    AttentionMaps,
    AttentionSelection,
    InspectedPair,
    InspectedSentence,
)
from service.scheduling.slices import breathe

_MARGIN = 24
_GAP = 20
_LABEL_GAP = 5
_BASE_LINE = 4
"""Pixels from the middle of a line down to its base line."""
_MAX_TITLE = 110
_INK, _FAINT = (30, 36, 48), (91, 99, 115)
_TITLE = LabelStyle(size=17, colour=_INK)
_SUBTITLE = LabelStyle(size=15, colour=_FAINT)
_HEADING = LabelStyle(size=12, colour=_FAINT)
_NAME = LabelStyle(size=12, colour=_INK)
_QUERY = LabelStyle(size=11, colour=_INK, is_right_aligned=True)
_KEY = LabelStyle(size=11, colour=_INK, is_upright=True)
_SCALE = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0)


@dataclass(slots=True, kw_only=True)
class _Sheet:
    """A figure under construction, from top to bottom."""

    bottom: int = _MARGIN
    right: int = 0
    labels: list[Label] = field(default_factory=list)
    panels: list[Panel] = field(default_factory=list)

    def write(self, text: str, style: LabelStyle, *, x: int = _MARGIN) -> None:
        """Appends a line of text."""
        self.bottom += style.size + _LABEL_GAP
        self.labels.append(Label(text=text, x=x, y=self.bottom - _LABEL_GAP, style=style))
        self.right = max(self.right, x + width_of(text, style.size))


def lay_out(
    pairs: Sequence[InspectedPair], selection: AttentionSelection, *, with_texts: bool = True
) -> Figure:
    """The figure of all maps of some texts, one sentence below the other.

    Args:
        pairs: The texts.
        selection: Names the layers and heads of the maps.
        with_texts: Whether each sentence is written above its maps.
    """
    sheet = _Sheet()
    for sentence in (sentence for pair in pairs for sentence in pair.sentences):
        if with_texts:
            sheet.write(_shortened(sentence.source), _TITLE)
            sheet.write(_shortened(sentence.translation), _SUBTITLE)
        _draw_sentence(sheet, sentence, selection)
    if not sheet.panels:
        sheet.write("There are no attention maps: the model did not run on this text.", _SUBTITLE)
    else:
        _draw_scale(sheet)
    title = _shortened(" ".join(pair.source for pair in pairs))
    return Figure(
        title=f"Attention: {title}",
        description=_description(pairs, sheet.panels),
        width=sheet.right + _MARGIN,
        height=sheet.bottom + _MARGIN,
        labels=tuple(sheet.labels),
        panels=tuple(sheet.panels),
    )


def _draw_sentence(
    sheet: _Sheet, sentence: InspectedSentence, selection: AttentionSelection
) -> None:
    for grid in grids(sentence.attention):
        sheet.bottom += _GAP // 2
        sheet.write(grid.heading, _HEADING)
        sheet.bottom += _GAP // 2
        _draw_grid(sheet, grid.maps, (grid.queries, grid.keys), selection)
    sheet.bottom += _GAP


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Maps with the same axes."""

    heading: str
    maps: NDArray[np.float32]
    """float32 [layers, heads, query, key]; contributions are one map."""
    queries: list[str]
    """Labels of the rows."""
    keys: list[str]
    """Labels of the columns."""


def grids(attention: AttentionMaps) -> Iterator[Grid]:
    """All maps of a sentence, or its contributions, with source and target side by side."""
    for kind, maps in attention.maps.items():
        queries, keys = _axes(kind, attention)
        yield Grid(heading=heading(kind, attention), maps=maps, queries=queries, keys=keys)
    if (found := attention.contributions) is not None:
        both = np.concatenate([found.source, found.target], axis=1)
        columns = (*attention.source_tokens, *found.prefix_tokens)
        yield Grid(
            heading=contributions_heading(found),
            maps=both[None, None],
            queries=[token_label(token) for token in attention.target_tokens],
            keys=[token_label(token) for token in columns],
        )


def _axes(kind: AttentionKind, attention: AttentionMaps) -> tuple[list[str], list[str]]:
    queries = attention.source_tokens if kind == "encoder" else attention.target_tokens
    keys = attention.target_tokens if kind == "decoder" else attention.source_tokens
    return [token_label(token) for token in queries], [token_label(token) for token in keys]


def _draw_grid(
    sheet: _Sheet,
    maps: NDArray[np.float32],
    axes: tuple[list[str], list[str]],
    selection: AttentionSelection,
) -> None:
    queries, keys = axes
    left = _widest(queries, _QUERY) + _LABEL_GAP
    above = _widest(keys, _KEY) + _LABEL_GAP
    all_shades = shades(maps)
    for row, layer in enumerate(all_shades):
        top = sheet.bottom + _NAME.size + _LABEL_GAP + above
        for column, head in enumerate(layer):
            breathe()
            name = panel_name(row, column, selection)
            x = _MARGIN + left + column * _pitch(left, len(keys), selection)
            panel = Panel(name=name, x=x, y=top, shades=head)
            sheet.panels.append(panel)
            sheet.labels += _panel_labels(panel, queries, keys, above)
            sheet.right = max(sheet.right, x + panel.width, x + width_of(name, _NAME.size))
        sheet.bottom = top + CELL * len(queries) + _GAP


def _pitch(left: int, num_keys: int, selection: AttentionSelection) -> int:
    """Pixels from one map of a row to the next."""
    name = width_of(panel_name(0, 0, AttentionSelection(reduce=selection.reduce)), _NAME.size)
    return max(left + CELL * num_keys, name) + _GAP


def _widest(labels: Sequence[str], style: LabelStyle) -> int:
    return max((width_of(label, style.size) for label in labels), default=0)


def _panel_labels(
    panel: Panel, queries: Sequence[str], keys: Sequence[str], above: int
) -> Iterator[Label]:
    middle = CELL // 2 + _BASE_LINE
    yield Label(text=panel.name, x=panel.x, y=panel.y - above - _LABEL_GAP, style=_NAME)
    for row, text in enumerate(queries):
        y = panel.y + CELL * row + middle
        yield Label(text=text, x=panel.x - _LABEL_GAP, y=y, style=_QUERY)
    for column, text in enumerate(keys):
        x = panel.x + CELL * column + middle
        yield Label(text=text, x=x, y=panel.y - _LABEL_GAP, style=_KEY)


def _draw_scale(sheet: _Sheet) -> None:
    """Draws the colour scale."""
    x = _MARGIN
    for weight in _SCALE:
        cell = shades(np.full((1, 1), weight, dtype=np.float32))
        text = f"{weight:.0%}"
        sheet.panels.append(Panel(name=text, x=x, y=sheet.bottom, shades=cell))
        x += CELL + _LABEL_GAP
        label = Label(text=text, x=x, y=sheet.bottom + CELL // 2 + _BASE_LINE, style=_HEADING)
        sheet.labels.append(label)
        x += width_of(text, _HEADING.size) + _GAP // 2
    sheet.right = max(sheet.right, x)
    sheet.bottom += CELL


def _shortened(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= _MAX_TITLE else shown[: _MAX_TITLE - 1] + "…"


def _description(pairs: Sequence[InspectedPair], panels: Sequence[Panel]) -> str:
    translation = _shortened(" ".join(pair.translation for pair in pairs))
    num_maps = max(len(panels) - len(_SCALE), 0)
    return (
        f"Translation: {translation}. {num_maps} heat maps, the darker the more attention, "
        "each row summing to 100%; the numbers are in the JSON and NumPy replies."
    )
