"""A figure as PNG, with the places and colours of the SVG and a bundled font."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from service.errors import PayloadTooLargeError
from service.inspection.heat_map.figure import DARKEST, Figure, Label, LabelStyle, Panel, colour
from service.inspection.heat_map.layout import lay_out
from service.inspection.values import AttentionSelection, InspectedPair, InspectedSentence

MAX_PIXELS = 24_000_000
"""Most pixels of a picture; it takes 72 MB while it is drawn."""
_FONT = Path(__file__).with_name("font") / "DejaVuSans.ttf"
_FRAME = (213, 218, 226)
_SHARP = 2
"""Pixels for each pixel of the figure, if the picture stays within its limit: for fine screens."""


def png(figure: Figure) -> bytes:
    """Draws a figure; see `check_fits` for figures that are too large.

    Characters that the font lacks are boxes.
    """
    is_small = figure.width * figure.height * _SHARP**2 <= MAX_PIXELS
    canvas = _Canvas(figure, _SHARP if is_small else 1)
    for panel in figure.panels:
        canvas.draw_panel(panel)
    for label in figure.labels:
        canvas.draw_label(label)
    return canvas.encoded()


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


class _Canvas:
    """A picture under construction; a text that occurs again is rendered once."""

    def __init__(self, figure: Figure, scale: int) -> None:
        self._scale = scale
        self._image = Image.new("RGB", (figure.width * scale, figure.height * scale), "white")
        self._palette = np.array([colour(shade) for shade in range(DARKEST + 1)], dtype=np.uint8)
        self._fonts: dict[int, ImageFont.FreeTypeFont] = {}
        self._written: dict[tuple[str, LabelStyle], tuple[Image.Image, tuple[int, int]]] = {}

    def draw_panel(self, panel: Panel) -> None:
        """Draws the cells of a map and a frame."""
        left, top = panel.x * self._scale, panel.y * self._scale
        width, height = panel.width * self._scale, panel.height * self._scale
        cells = Image.fromarray(self._palette[panel.shades])
        cells = cells.resize((width, height), Image.Resampling.NEAREST)
        self._image.paste(cells, (left, top))
        frame = (left, top, left + width, top + height)
        ImageDraw.Draw(self._image).rectangle(frame, outline=_FRAME, width=self._scale)

    def draw_label(self, label: Label) -> None:
        """Draws a label."""
        key = (label.text, label.style)
        if key not in self._written:
            self._written[key] = self._write(*key)
        mask, (left, top) = self._written[key]
        place = (label.x * self._scale + left, label.y * self._scale + top)
        self._image.paste(label.style.colour, place, mask)

    def encoded(self) -> bytes:
        """The bytes of the file."""
        written = BytesIO()
        self._image.save(written, "PNG", compress_level=6)
        return written.getvalue()

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
