"""Command-line arguments that `pellucid export` and `pellucid import` share."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bundle.manifest import Manifest


HEAD_SENTENCES = 100
"""Enough to tell heads that matter from others."""


def add_bundle_arguments(parser: argparse.ArgumentParser) -> None:
    """Add name, limits, `--heads` and `--force`: options of every bundle."""
    parser.add_argument("--name", help="name of the bundle; default: the folder's")
    for side in ("source", "target"):
        parser.add_argument(
            f"--max-{side}-tokens",
            type=token_limit,
            metavar="N",
            help=f"longest {side}; default 256, or as many as the model has trained positions",
        )
    parser.add_argument(
        "--max-bleu-loss",
        type=float,
        default=0.3,
        metavar="POINTS",
        help="refuse int8 that loses more BLEU than this against fp32, default 0.3",
    )
    parser.add_argument(
        "--heads",
        type=not_negative,
        default=HEAD_SENTENCES,
        metavar="N",
        help="measure what each attention head does, translating at most N development sentences "
        f"without it, default {HEAD_SENTENCES}; 0 leaves it out",
    )
    parser.add_argument("--force", action="store_true", help="replace an existing bundle")


def positive(text: str) -> int:
    """A count of 1 or more."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def not_negative(text: str) -> int:
    """A count of 0 or more."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is not 0 or more")
    return number


def token_limit(text: str) -> int:
    """A limit that a bundle may have."""
    from bundle.manifest import MAX_TOKENS  # here: it imports pydantic

    number = positive(text)
    if number > MAX_TOKENS:
        raise argparse.ArgumentTypeError(f"{text} is over {MAX_TOKENS}, the most of a bundle")
    return number


def beam_size(text: str) -> int:
    """A number of hypotheses that the engine can keep."""
    from service.engine.search.options import MAX_BEAM_SIZE  # here: it imports numpy

    number = positive(text)
    if number > MAX_BEAM_SIZE:
        raise argparse.ArgumentTypeError(f"{text} is over {MAX_BEAM_SIZE}, the widest beam")
    return number


def describe(manifest: "Manifest") -> str:
    """Size, limits and quality of a bundle, on one line."""
    size_bytes = sum(entry.size_bytes for entry in manifest.files.values())
    limits = f"{manifest.max_source_tokens} source and {manifest.max_target_tokens} target tokens"
    scores = [
        f"{q.pair} {q.precision}{' with shortlist' if q.with_shortlist else ''} beam {q.beam_size} "
        f"BLEU {q.bleu} chrF {q.chrf}"
        for q in manifest.quality
    ]
    return ", ".join([f"{size_bytes / 1e6:.1f} MB", f"up to {limits}", *scores])
