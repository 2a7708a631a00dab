"""A figure: labels and panels at whole pixels, for the SVG and PNG writers to copy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
"""Red, green, blue, each 0 to 255."""

DARKEST = 24
"""The shade of weight 1; shade 0 is white."""
_ANCHORS = ((255, 255, 255), (205, 226, 239), (107, 174, 207), (33, 103, 172), (6, 30, 75))
"""From weight 0 to weight 1, ever darker, so that colours are not needed to tell them apart."""


def shades(weights: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The shade of each weight, 0 to `DARKEST`.

    Shades grow with the square root: with many tokens most weights are small, and attention spread
    over all of them should remain visible.
    """
    scaled = np.rint(np.sqrt(np.clip(weights, 0, 1)) * DARKEST)
    return np.asarray(scaled, dtype=np.uint8)


def colour(shade: int) -> Colour:
    """The colour of a shade."""
    place = shade / DARKEST * (len(_ANCHORS) - 1)
    low = min(int(place), len(_ANCHORS) - 2)
    part = place - low
    red, green, blue = (
        round(a + (b - a) * part) for a, b in zip(_ANCHORS[low], _ANCHORS[low + 1], strict=True)
    )
    return red, green, blue


def as_hex(given: Colour) -> str:
    """A colour in SVG notation."""
    return "#" + "".join(f"{part:02x}" for part in given)


CELL = 16
"""Side of a cell, pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelStyle:
    """The style of a label."""

    size: int
    """Pixels."""
    colour: Colour
    is_right_aligned: bool = False
    """Whether the label ends at its place instead of beginning there."""
    is_upright: bool = False
    """Whether it runs from bottom to top, beginning at its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A line of text on its base line."""

    text: str
    x: int
    y: int
    style: LabelStyle


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One attention map."""

    name: str
    x: int
    y: int
    shades: NDArray[np.uint8]
    """uint8 [query, key]; see `shades`."""

    @property
    def width(self) -> int:
        """Pixels."""
        return CELL * int(self.shades.shape[1])

    @property
    def height(self) -> int:
        """Pixels."""
        return CELL * int(self.shades.shape[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """All labels and panels of a picture."""

    title: str
    description: str
    """A description for screen readers."""
    width: int
    height: int
    labels: tuple[Label, ...]
    panels: tuple[Panel, ...]
