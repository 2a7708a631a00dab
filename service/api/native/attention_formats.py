"""Attention replies in every format, and the choice of one by the Accept header."""

from collections.abc import Iterator, Sequence

from service.api.replies.attention import inspected_content
from service.api.replies.json import json_bytes
from service.inspection.heat_map.arrays import npz
from service.inspection.heat_map.layout import lay_out
from service.inspection.heat_map.page import CONTENT_SECURITY_POLICY, page
from service.inspection.heat_map.png import check_fits
from service.inspection.heat_map.svg import svg
from service.inspection.values import AttentionSelection, InspectedPair

JSON, NPZ, SVG = "application/json", "application/x-npz", "image/svg+xml"
PNG, HTML = "image/png", "text/html"
FORMATS = (JSON, NPZ, SVG, PNG, HTML)
"""Media types; the first is the default."""
CONTRAST_FORMATS = (JSON, NPZ)
"""Of a reply with differences, which a picture of weights cannot show."""
SUFFIXES = {".json": JSON, ".npz": NPZ, ".svg": SVG, ".png": PNG, ".html": HTML}
_POLICIES = {SVG: "default-src 'none'", HTML: CONTENT_SECURITY_POLICY}
MAX_RANGES = 32
"""Media ranges of an Accept header that are looked at; browsers send six."""
_NO_QUALITY = -1.0
"""Of a media type that no range of the Accept header matches."""
_CHARSETS = {SVG: "; charset=utf-8", HTML: "; charset=utf-8"}


def attention_body(
    media_type: str,
    pairs: Sequence[InspectedPair],
    selection: AttentionSelection,
    *,
    is_list: bool,
) -> bytes:
    """The reply in one of `FORMATS`.

    Args:
        media_type: The format.
        pairs: The inspected texts.
        selection: Layers and heads of the maps.
        is_list: Whether the request had a list of texts; else there is one.

    Raises:
        PayloadTooLargeError: The PNG would be too large.
    """
    if media_type == NPZ:
        return npz(pairs, is_list=is_list)
    if media_type == SVG:
        return svg(lay_out(pairs, selection)).encode()
    if media_type == PNG:
        return _png(pairs, selection)
    if media_type == HTML:
        return page(pairs, selection).encode()
    contents = [inspected_content(pair) for pair in pairs]
    return json_bytes(contents if is_list else contents[0])


def attention_headers(media_type: str) -> dict[str, str]:
    """Headers of a reply of this type."""
    headers = {
        "Content-Type": media_type + _CHARSETS.get(media_type, ""),
        "Vary": "Accept",
        "X-Content-Type-Options": "nosniff",
    }
    if media_type in _POLICIES:
        headers["Content-Security-Policy"] = _POLICIES[media_type]
    return headers


def preferred(accept: str, offered: Sequence[str]) -> str:
    """The media type to answer with; the first one offered if the header accepts none.

    The most specific range that matches a type determines its quality (RFC 9110, 12.5.1).

    Args:
        accept: The Accept header; empty if missing.
        offered: Media types; of equal quality, the first wins.
    """
    ranges = list(_ranges(accept))
    best = max(offered, key=lambda media_type: _quality(media_type, ranges))
    return best if _quality(best, ranges) > 0 else offered[0]


def _png(pairs: Sequence[InspectedPair], selection: AttentionSelection) -> bytes:
    from service.inspection.heat_map.png import png

    figure = lay_out(pairs, selection)
    check_fits(figure, pairs, selection)
    return png(figure)


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    for part in accept.lower().split(",", MAX_RANGES)[:MAX_RANGES]:
        media_range, *parameters = (piece.strip() for piece in part.split(";"))
        weights = [p[2:] for p in parameters if p.startswith("q=")]
        yield media_range, _weight(weights[0]) if weights else 1.0


def _weight(written: str) -> float:
    try:
        return min(max(float(written), 0.0), 1.0)
    except ValueError:
        return 0.0


def _quality(media_type: str, ranges: Sequence[tuple[str, float]]) -> float:
    of_all = media_type.partition("/")[0] + "/*"
    for wanted in (media_type, of_all, "*/*"):
        found = [quality for media_range, quality in ranges if media_range == wanted]
        if found:
            return max(found)
    return _NO_QUALITY
