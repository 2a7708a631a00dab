"""A picture before it is one: what stands where, in whole pixels; its writers only copy it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
"""Red, green, blue, each 0 to 255."""

DARKEST = 24
"""The shade of weight 1; shade 0 is the paper."""
_ANCHORS = ((255, 255, 255), (205, 226, 239), (107, 174, 207), (33, 103, 172), (6, 30, 75))
"""From weight 0 to weight 1; each is darker than the one before, also for who sees no colours."""


def shades(weights: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The shade of each weight, 0 to `DARKEST`.

    They grow with the square root: with many tokens most weights are small, and a head that looks
    at everything a little should not look like one that looks at nothing.
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
    """As it is written in SVG."""
    return "#" + "".join(f"{part:02x}" for part in given)


CELL = 16
"""Side of a cell, pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelStyle:
    """How a text is written."""

    size: int
    """Pixels."""
    colour: Colour
    is_right_aligned: bool = False
    """The place is where the text ends, not where it begins."""
    is_upright: bool = False
    """Runs from bottom to top, beginning at its place."""


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
    """Everything that is in a picture."""

    title: str
    description: str
    """For who cannot see it."""
    width: int
    height: int
    labels: tuple[Label, ...]
    panels: tuple[Panel, ...]
