"""Inspected texts as bytes: JSON, arrays, pictures or a page."""

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
"""Media types, the one for who does not say first."""
SUFFIXES = {".json": JSON, ".npz": NPZ, ".svg": SVG, ".png": PNG, ".html": HTML}
_POLICIES = {SVG: "default-src 'none'", HTML: CONTENT_SECURITY_POLICY}
_CHARSETS = {SVG: "; charset=utf-8", HTML: "; charset=utf-8"}


def attention_body(
    media_type: str,
    pairs: Sequence[InspectedPair],
    selection: AttentionSelection,
    *,
    is_list: bool,
) -> bytes:
    """One of `FORMATS`.

    Args:
        media_type: Which.
        pairs: The texts.
        selection: What was asked for; says which layers and heads the maps are of.
        is_list: Whether a list was asked for; else there is one text.

    Raises:
        PayloadTooLargeError: A PNG would be too large.
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
    """What a browser has to know about a reply of this type."""
    headers = {
        "Content-Type": media_type + _CHARSETS.get(media_type, ""),
        "Vary": "Accept",
        "X-Content-Type-Options": "nosniff",
    }
    if media_type in _POLICIES:
        headers["Content-Security-Policy"] = _POLICIES[media_type]
    return headers


def _png(pairs: Sequence[InspectedPair], selection: AttentionSelection) -> bytes:
    from service.inspection.heat_map.png import png

    figure = lay_out(pairs, selection)
    check_fits(figure, pairs, selection)
    return png(figure)


_NO_QUALITY = -1.0


def preferred(accept: str, offered: Sequence[str]) -> str:
    """The media type to answer with; the first one offered where the header fits none.

    As RFC 9110 says, the most specific range that fits a type gives it its quality.

    Args:
        accept: The header; empty where there is none.
        offered: Media types; of those that are liked alike, the first wins.
    """
    ranges = list(_ranges(accept))
    best = max(offered, key=lambda media_type: _quality(media_type, ranges))
    return best if _quality(best, ranges) > 0 else offered[0]


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    for part in accept.lower().split(","):
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
