"""`python -m model.synthesis.distillation_cli`: translates text with a checkpoint into pairs."""

import argparse
import sys
from pathlib import Path

import torch

from model.data.corpus import SentencePair, read_pairs
from model.data.tokenizer import load_tokenizer
from model.errors import ModelError
from model.synthesis.distillation import distilled, model_on
from model.training.checkpoint import load_checkpoint

_MAX_CHARACTERS = 400
"""Maximum characters of either side."""


def main() -> int:
    """Translate; return the exit code."""
    arguments = _parse()
    try:
        count = _write(arguments)
    except (ModelError, OSError) as error:
        print(f"distillation: {error}", file=sys.stderr)
        return 2
    print(f"{arguments.output}: {count} pairs")
    return 0


def _write(arguments: argparse.Namespace) -> int:
    checkpoint = load_checkpoint(arguments.checkpoint)
    tokenizer = load_tokenizer(checkpoint.tokenizer_path)
    model = model_on(arguments.device, checkpoint.model)
    directions = checkpoint.config.data.directions
    pairs = _pairs(arguments)
    count = 0
    with arguments.output.open("w", encoding="utf-8") as file:
        for direction in directions:
            if arguments.to and direction.target not in arguments.to:
                continue
            for pair in distilled(
                model, tokenizer, pairs, direction, batch_tokens=arguments.batch_tokens
            ):
                file.write(f"{pair.source}\t{pair.target}\t{arguments.prefix}{pair.origin}\n")
                count += 1
    return count


def _pairs(arguments: argparse.Namespace) -> list[SentencePair]:
    """The pairs of the chosen origins that are short enough."""
    pairs = [p for path in arguments.files for p in read_pairs(path.name, path.parent)[0]]
    return [
        pair
        for pair in pairs
        if (not arguments.sources or pair.origin in arguments.sources)
        and max(len(pair.source), len(pair.target)) <= _MAX_CHARACTERS
    ]


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m model.synthesis.distillation_cli")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("files", type=Path, nargs="+", help="pairs, as for training")
    parser.add_argument("--sources", nargs="+", help="origins to translate; default: all")
    parser.add_argument("--to", nargs="+", help="target languages; default: all of the model")
    parser.add_argument("--prefix", default="made-", help="prefix of the new origins")
    parser.add_argument("--batch-tokens", type=int, default=4000)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--output", "--out", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
