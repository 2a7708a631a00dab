"""The raster images of a page, as JPEG or PNG, within limits."""

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from service.documents.readers.pdf.alternative_texts import AlternativeTexts

if TYPE_CHECKING:
    from service.documents.readers.pdf.links import PageLinks

MAX_IMAGES = 500
MAX_IMAGE_BYTES = 16 * 1024 * 1024
"""Bytes of all images of a document; also at most twice its file."""
MAX_IMAGE_PIXELS = 8_000_000
_MAX_TOTAL_PIXELS = 48_000_000
"""Pixels of all images that are encoded again."""
_SPARE_BYTES = 65_536
_MAX_DEPTH = 3
_MIN_POINTS = 1.0
"""Width and height; smaller ones are lines and dots of a drawing."""
_UPRIGHT = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image; places are in points, from the lower left corner of the page as it is shown."""

    page: int
    left: float
    right: float
    middle: float
    media_type: str
    data: bytes
    """Empty: beyond a limit, or not readable."""
    target: str
    """Target of a link that covers it; empty: none."""
    alternative: str = ""
    """Its alternative text; empty: none."""


class ImageReader:
    """Takes the images of a document, page by page, until a limit is reached."""

    def __init__(self, file_bytes: int) -> None:
        self._bytes_left = min(MAX_IMAGE_BYTES, 2 * file_bytes + _SPARE_BYTES)
        self._pixels_left = _MAX_TOTAL_PIXELS
        self._images_left = MAX_IMAGES
        self._seen: set[tuple[int, tuple[int, ...]]] = set()
        """Content and place: a letterhead is there once."""
        self._alternatives = AlternativeTexts()

    def images(self, page: Any, number: int, links: "PageLinks") -> Iterator[Image]:  # noqa: ANN401
        """The images of a page that are not those of a page before it."""
        import pypdfium2
        from pypdfium2 import raw

        objects = page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=_MAX_DEPTH)
        try:
            for found in objects:
                if self._images_left <= 0:
                    return
                image = self._image(page, found, number, links)
                if image:
                    yield image
        except pypdfium2.PdfiumError:
            return

    def _image(self, page: Any, found: Any, number: int, links: "PageLinks") -> Image | None:  # noqa: ANN401
        box = found.get_bounds()
        if not all(math.isfinite(each) and abs(each) < 1e5 for each in box):
            return None
        if min(box[2] - box[0], box[3] - box[1]) < _MIN_POINTS:
            return None
        self._images_left -= 1
        media_type, data = self._encoded(found, box)
        key = (hash(data), tuple(map(round, box)))
        if data and key in self._seen:
            return None
        self._seen.add(key)
        self._bytes_left -= len(data)
        left, middle, right = _shown(page, box)
        return Image(
            page=number, left=left, right=right, middle=middle, media_type=media_type, data=data,
            target=links.target((box[0] + box[2]) / 2, (box[1] + box[3]) / 2),
            alternative=self._alternatives.of_image(page, found),
        )  # fmt: skip

    def _encoded(self, found: Any, box: tuple[float, ...]) -> tuple[str, bytes]:  # noqa: ANN401
        """Media type and data; no data beyond a limit."""
        import pypdfium2
        from PIL.Image import DecompressionBombError

        try:
            width, height = found.get_px_size()
            if not 0 < width * height <= MAX_IMAGE_PIXELS:
                return "", b""
            if _is_plain_jpeg(found):
                kind, data = "image/jpeg", bytes(found.get_data())
            else:
                kind, data = "image/png", self._png(found, box)
        except (pypdfium2.PdfiumError, DecompressionBombError, ValueError, OSError):
            return "", b""
        return (kind, data) if len(data) <= self._bytes_left else ("", b"")

    def _png(self, found: Any, box: tuple[float, ...]) -> bytes:  # noqa: ANN401
        """The image as it is drawn, at about its own resolution."""
        width, height = found.get_px_size()
        wide, high = box[2] - box[0], box[3] - box[1]
        if (width < height) != (wide < high):
            width, height = height, width
        scale = max(width / wide, height / high)
        pixels = int(wide * scale * high * scale)
        if pixels > min(MAX_IMAGE_PIXELS, self._pixels_left):
            return b""
        self._pixels_left -= pixels
        stream = io.BytesIO()
        found.get_bitmap(render=True).to_pil().save(stream, "PNG")
        return stream.getvalue()


def _is_plain_jpeg(found: Any) -> bool:  # noqa: ANN401
    """Whether its data is a JPEG as it is shown: upright, without a mask, no colours of a press."""
    from PIL import Image as Picture
    from pypdfium2 import raw

    matrix = found.get_matrix()
    is_turned = max(abs(matrix.b), abs(matrix.c)) > _UPRIGHT or min(matrix.a, matrix.d) <= 0
    if is_turned or found.get_filters() != ["DCTDecode"]:
        return False
    if raw.FPDFPageObj_HasTransparency(found):
        return False
    with Picture.open(io.BytesIO(bytes(found.get_data())), formats=["JPEG"]) as picture:
        return picture.mode in ("L", "RGB") and picture.size == tuple(found.get_px_size())


def _shown(page: Any, box: tuple[float, ...]) -> tuple[float, float, float]:  # noqa: ANN401
    """Left, middle of the height and right, as the page is turned."""
    left, bottom, right, top = box
    page_left, page_bottom, page_right, page_top = page.get_bbox()
    match page.get_rotation():
        case 90:
            return bottom - page_bottom, page_right - (left + right) / 2, top - page_bottom
        case 180:
            return page_right - right, page_top - (bottom + top) / 2, page_right - left
        case 270:
            return page_top - top, (left + right) / 2 - page_left, page_top - bottom
        case _:
            return left - page_left, (bottom + top) / 2 - page_bottom, right - page_left
