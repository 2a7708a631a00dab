"""A figure as PNG, with the places and colours of the SVG and a bundled font."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from service.errors import PayloadTooLargeError
from service.inspection.heat_map.figure import (
    CELL,
    DARKEST,
    Figure,
    Label,
    LabelStyle,
    Panel,
    colour,
)
from service.inspection.heat_map.layout import lay_out
from service.inspection.heat_map.png_file import PngFile
from service.inspection.values import AttentionSelection, InspectedPair, InspectedSentence
from service.scheduling.slices import breathe

MAX_PIXELS = 24_000_000
"""Most pixels of a picture."""
_BAND_PIXELS = 1_000_000
"""Pixels that are drawn at once; Pillow has four bytes of each, PngFile twice three."""
_FONT = Path(__file__).with_name("font") / "DejaVuSans.ttf"
_FRAME = (213, 218, 226)
_SHARP = 2
"""Pixels for each pixel of the figure, if the picture stays within its limit: for fine screens."""


def png(figure: Figure) -> bytes:
    """Draws a figure; see `check_fits` for figures that are too large.

    Characters that the font lacks are boxes.
    """
    is_small = figure.width * figure.height * _SHARP**2 <= MAX_PIXELS
    drawing = _Drawing(figure, _SHARP if is_small else 1)
    file = PngFile(drawing.width, drawing.height)
    num_rows = max(1, _BAND_PIXELS // drawing.width)
    for top in range(0, drawing.height, num_rows):
        file.add(drawing.band(top, min(num_rows, drawing.height - top)))
    return file.finish()


def check_fits(
    figure: Figure, pairs: Sequence[InspectedPair], selection: AttentionSelection
) -> None:
    """Rejects a picture that would be too large.

    Args:
        figure: The picture.
        pairs: The texts in it.
        selection: The maps in it.

    Raises:
        PayloadTooLargeError: Names a selection that fits.
    """
    if _fits(figure):
        return
    remedy = next(
        (
            f"ask for {_as_fields(less)}, or"
            for fewer, less in _smaller(pairs, selection)
            if _fits(lay_out(fewer, less))
        ),
        "send shorter or fewer texts, or ask",
    )
    raise PayloadTooLargeError(
        f"the picture would have {figure.width * figure.height:,} pixels; the limit is "
        f"{MAX_PIXELS:,}: {remedy} for image/svg+xml, which may have any size"
    )


class _Drawing:
    """Draws bands of a picture; a text that occurs again is rendered once."""

    def __init__(self, figure: Figure, scale: int) -> None:
        self.width, self.height = figure.width * scale, figure.height * scale
        self._figure = figure
        self._scale = scale
        self._palette = np.array([colour(shade) for shade in range(DARKEST + 1)], dtype=np.uint8)
        self._fonts: dict[int, ImageFont.FreeTypeFont] = {}
        self._written: dict[tuple[str, LabelStyle], tuple[Image.Image, tuple[int, int]]] = {}

    def band(self, top: int, num_rows: int) -> NDArray[np.uint8]:
        """The rows from `top` on, uint8 [rows, width, 3]."""
        image = Image.new("RGB", (self.width, num_rows), "white")
        for panel in self._figure.panels:
            breathe()
            self._draw_panel(image, top, panel)
        for label in self._figure.labels:
            breathe()
            self._draw_label(image, top, label)
        return np.asarray(image)

    def _draw_panel(self, image: Image.Image, top: int, panel: Panel) -> None:
        """Draws the cells of a map that are in a band, and its frame."""
        left, above = panel.x * self._scale, panel.y * self._scale - top
        width, height = panel.width * self._scale, panel.height * self._scale
        side = CELL * self._scale
        first = max(0, -above // side)
        last = min(len(panel.shades), -((above - image.height) // side))
        if first < last:
            cells = Image.fromarray(self._palette[panel.shades[first:last]])
            size = (width, (last - first) * side)
            cells = cells.resize(size, Image.Resampling.NEAREST)
            image.paste(cells, (left, above + first * side))
        if above + height >= 0 and above <= image.height:
            frame = (left, above, left + width, above + height)
            ImageDraw.Draw(image).rectangle(frame, outline=_FRAME, width=self._scale)

    def _draw_label(self, image: Image.Image, top: int, label: Label) -> None:
        key = (label.text, label.style)
        if key not in self._written:
            self._written[key] = self._write(*key)
        mask, (left, above) = self._written[key]
        place = (label.x * self._scale + left, label.y * self._scale + above - top)
        if -mask.height < place[1] < image.height:
            image.paste(label.style.colour, place, mask)

    def _write(self, text: str, style: LabelStyle) -> tuple[Image.Image, tuple[int, int]]:
        """A text as a mask, and the offset of its corner from its place."""
        font = self._font(style.size * self._scale)
        left, top, right, bottom = map(int, font.getbbox(text, anchor="ls"))
        mask = Image.new("L", (max(right - left, 1), max(bottom - top, 1)))
        ImageDraw.Draw(mask).text((-left, -top), text, fill=255, font=font, anchor="ls")
        if style.is_upright:
            return mask.transpose(Image.Transpose.ROTATE_90), (top, -left - mask.width)
        if style.is_right_aligned:
            return mask, (-mask.width, top)
        return mask, (left, top)

    def _font(self, size: int) -> ImageFont.FreeTypeFont:
        if size not in self._fonts:
            self._fonts[size] = ImageFont.truetype(_FONT, size)
        return self._fonts[size]


def _as_fields(selection: AttentionSelection) -> str:
    """A selection as request fields."""
    layers = f'"layers": {list(selection.layers or ())}'
    if selection.reduce == "heads":
        return layers
    return f'{layers}, "heads": {list(selection.heads or ())}'


def _fits(figure: Figure) -> bool:
    return figure.width * figure.height <= MAX_PIXELS


def _smaller(
    pairs: Sequence[InspectedPair], selection: AttentionSelection
) -> Iterator[tuple[list[InspectedPair], AttentionSelection]]:
    """Smaller selections: the last layer, with ever fewer heads."""
    shapes = [
        maps.shape
        for pair in pairs
        for sentence in pair.sentences
        for maps in sentence.attention.maps.values()
    ]
    if selection.reduce == "all" or not shapes:
        return
    row = min(shape[0] for shape in shapes) - 1
    layer = row if selection.layers is None else selection.layers[row]
    num_heads = shapes[0][1]
    if selection.reduce == "heads":
        yield [_with_maps_of(pair, row, 1) for pair in pairs], replace(selection, layers=(layer,))
        return
    names = tuple(range(num_heads)) if selection.heads is None else selection.heads
    for count in range(num_heads, 0, -1):
        fewer = [_with_maps_of(pair, row, count) for pair in pairs]
        yield fewer, replace(selection, layers=(layer,), heads=names[:count])


def _with_maps_of(pair: InspectedPair, row: int, num_heads: int) -> InspectedPair:
    def of(sentence: InspectedSentence) -> InspectedSentence:
        maps = {
            kind: values[row : row + 1, :num_heads]
            for kind, values in sentence.attention.maps.items()
        }
        return replace(sentence, attention=replace(sentence.attention, maps=maps))

    return replace(pair, sentences=tuple(of(sentence) for sentence in pair.sentences))
