"""Which form of a reply a client likes best."""

from collections.abc import Iterator, Sequence

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
