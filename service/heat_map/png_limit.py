"""How large a PNG may be, and what to ask for where it would be larger."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from service.errors import PayloadTooLargeError
from service.heat_map.figure import Figure
from service.heat_map.layout import lay_out
from service.translation import AttentionSelection, InspectedPair, InspectedSentence

MAX_PIXELS = 24_000_000
"""What a picture may have; 72 MB while it is drawn."""


def check_fits(
    figure: Figure, pairs: Sequence[InspectedPair], selection: AttentionSelection
) -> None:
    """Refuse a picture that would be too large.

    Args:
        figure: The picture.
        pairs: What is in it.
        selection: What was asked for.

    Raises:
        PayloadTooLargeError: Says what to ask for instead.
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


def _as_fields(selection: AttentionSelection) -> str:
    """What is to be written into the request."""
    layers = f'"layers": {list(selection.layers or ())}'
    if selection.reduce == "heads":
        return layers
    return f'{layers}, "heads": {list(selection.heads or ())}'


def _fits(figure: Figure) -> bool:
    return figure.width * figure.height <= MAX_PIXELS


def _smaller(
    pairs: Sequence[InspectedPair], selection: AttentionSelection
) -> Iterator[tuple[list[InspectedPair], AttentionSelection]]:
    """The last layer, with ever fewer heads."""
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
