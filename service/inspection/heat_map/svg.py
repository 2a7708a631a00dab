"""A figure as SVG, with its labels as escaped text."""

from collections.abc import Iterator
from html import escape
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from service.inspection.heat_map.figure import (
    CELL,
    DARKEST,
    Figure,
    Label,
    LabelStyle,
    Panel,
    as_hex,
    colour,
)
from service.scheduling.slices import breathe

_FONT = "DejaVu Sans, Noto Sans, system-ui, sans-serif"
_FRAME = "#d5dae2"


def svg(figure: Figure, name: str = "figure") -> str:
    """The picture as a document that can also be embedded in a page.

    Args:
        figure: The figure.
        name: Prefix of the ids, which must be unique in a page.
    """
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{figure.width}" height="{figure.height}" '
        f'viewBox="0 0 {figure.width} {figure.height}" role="img" '
        f'aria-labelledby="{name}-title {name}-description" font-family="{_FONT}">'
    )
    parts = (
        head,
        f'<title id="{name}-title">{escape(figure.title)}</title>',
        f'<desc id="{name}-description">{escape(figure.description)}</desc>',
        f'<rect width="{figure.width}" height="{figure.height}" fill="#ffffff"/>',
        *(_panel(panel) for panel in figure.panels),
        *_label_groups(figure),
        "</svg>",
    )
    return "\n".join(parts) + "\n"


def _panel(panel: Panel) -> str:
    paths = "".join(_cells(panel.shades))
    return (
        f'<g transform="translate({panel.x} {panel.y})" shape-rendering="crispEdges">'
        f"<title>{escape(panel.name)}</title>{paths}"
        f'<rect width="{panel.width}" height="{panel.height}" fill="none" stroke="{_FRAME}"/></g>'
    )


def _cells(shades: NDArray[np.uint8]) -> Iterator[str]:
    """One path for each shade, of rectangles as long as possible."""
    for shade in range(1, DARKEST + 1):
        breathe()
        runs = "".join(
            f"M{CELL * start} {CELL * row}h{CELL * length}v{CELL}h-{CELL * length}z"
            for row, start, length in _runs(shades == shade)
        )
        if runs:
            yield f'<path fill="{as_hex(colour(shade))}" d="{runs}"/>'


def _runs(is_in: NDArray[np.bool_]) -> Iterator[tuple[int, int, int]]:
    """Row, first column and length of every run of neighbours."""
    edges = np.diff(is_in.astype(np.int8), axis=1, prepend=0, append=0)
    starts, ends = np.argwhere(edges == 1), np.argwhere(edges == -1)
    for (row, start), (_, end) in zip(starts.tolist(), ends.tolist(), strict=True):
        yield row, start, end - start


def _label_groups(figure: Figure) -> Iterator[str]:
    """Groups of labels that share a style."""
    for style, labels in groupby(figure.labels, key=lambda label: label.style):
        anchor = ' text-anchor="end"' if style.is_right_aligned else ""
        texts = "".join(_text(label) for label in labels)
        yield f'<g font-size="{style.size}" fill="{as_hex(style.colour)}"{anchor}>{texts}</g>'


def _text(label: Label) -> str:
    breathe()
    return f"<text {_place(label, label.style)}>{escape(label.text)}</text>"


def _place(label: Label, style: LabelStyle) -> str:
    if style.is_upright:
        return f'transform="translate({label.x} {label.y}) rotate(-90)"'
    return f'x="{label.x}" y="{label.y}"'
