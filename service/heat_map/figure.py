"""A picture before it is one: what stands where, in whole pixels; its writers only copy it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.heat_map.shades import Colour

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
    """uint8 [query, key]; see `service.heat_map.shades`."""

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
