"""`--without-heads`: attention heads that a model does without."""

import argparse
from typing import TYPE_CHECKING, get_args

if TYPE_CHECKING:
    from service.engine.ablation import Heads
    from service.engine.inspection import AttentionKind

    HeadIndices = tuple[AttentionKind, int, int]


def add_heads_argument(parser: argparse.ArgumentParser) -> None:
    """Add the flag."""
    parser.add_argument(
        "--without-heads",
        type=_heads,
        action="extend",
        default=[],
        metavar="HEADS",
        help="attention heads that the model does without: kind:layer:head, with commas between, "
        "such as encoder:0:2,cross:1:0; needs --source",
    )


def heads_of(arguments: argparse.Namespace) -> "Heads":
    """The heads that were given; none without the flag."""
    given: list[HeadIndices] = arguments.without_heads
    if not given:
        return ()
    from service.engine.ablation import canonical  # here: it imports the engine

    return canonical(given)


def _heads(text: str) -> "list[HeadIndices]":
    return [_head(each) for each in text.split(",")]


def _head(text: str) -> "HeadIndices":
    from service.engine.inspection import AttentionKind  # here: it imports the engine

    kinds: tuple[AttentionKind, ...] = get_args(AttentionKind)
    found, *indices = text.strip().split(":")
    kind = next((each for each in kinds if each == found), None)
    if kind is None or len(indices) != 2 or not all(map(_is_index, indices)):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no head: write kind:layer:head, such as cross:1:0; "
            f"kinds are {', '.join(kinds)}"
        )
    layer, head = map(int, indices)
    return kind, layer, head


def _is_index(text: str) -> bool:
    return text.isascii() and text.isdecimal()
