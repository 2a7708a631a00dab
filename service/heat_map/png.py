"""A figure as PNG: the same places and colours as in SVG, with letters of a font of our own."""

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from service.heat_map.figure import Figure, Label, LabelStyle, Panel
from service.heat_map.png_limit import MAX_PIXELS
from service.heat_map.shades import DARKEST, colour

_FONT = Path(__file__).with_name("font") / "DejaVuSans.ttf"
_FRAME = (213, 218, 226)
_SHARP = 2
"""Pixels for each of the figure's, where that is not too many: for screens with fine ones."""


def png(figure: Figure) -> bytes:
    """Draw it; see `check_fits` for those that are too large.

    Characters that the font does not have are boxes.
    """
    is_small = figure.width * figure.height * _SHARP**2 <= MAX_PIXELS
    canvas = _Canvas(figure, _SHARP if is_small else 1)
    for panel in figure.panels:
        canvas.draw_panel(panel)
    for label in figure.labels:
        canvas.draw_label(label)
    return canvas.encoded()


class _Canvas:
    """A picture that is being drawn; a text that comes again is not written again."""

    def __init__(self, figure: Figure, scale: int) -> None:
        self._scale = scale
        self._image = Image.new("RGB", (figure.width * scale, figure.height * scale), "white")
        self._palette = np.array([colour(shade) for shade in range(DARKEST + 1)], dtype=np.uint8)
        self._fonts: dict[int, ImageFont.FreeTypeFont] = {}
        self._written: dict[tuple[str, LabelStyle], tuple[Image.Image, tuple[int, int]]] = {}

    def draw_panel(self, panel: Panel) -> None:
        """Cells and a frame."""
        left, top = panel.x * self._scale, panel.y * self._scale
        width, height = panel.width * self._scale, panel.height * self._scale
        cells = Image.fromarray(self._palette[panel.shades])
        cells = cells.resize((width, height), Image.Resampling.NEAREST)
        self._image.paste(cells, (left, top))
        frame = (left, top, left + width, top + height)
        ImageDraw.Draw(self._image).rectangle(frame, outline=_FRAME, width=self._scale)

    def draw_label(self, label: Label) -> None:
        """One text."""
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
        """A text as a mask, and where its corner is, seen from its place."""
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
