"""`pellucid attention`: attention maps of a text as picture, page, numbers or table."""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from service.cli.heads import add_heads_argument, heads_of
from service.cli.inspection.contrast import contrast_table
from service.cli.local import add_model_arguments, open_translator
from service.cli.paths import STANDARD_OUTPUT, check_output, naming
from service.errors import StartupError

if TYPE_CHECKING:
    from service.inspection.values import AttentionMaps, AttentionRequest, InspectedPair

_EXAMPLES = """\
examples:
  pellucid attention 'The weather is nice.' --source en --target de --table
  pellucid attention 'The weather is nice.' --source en --target de \\
      --translation 'Das Wetter ist schön.' --kinds cross encoder --layers 0 --output maps.json
  pellucid attention 'The weather is nice.' --source en --target de --words --output map.png
  pellucid attention 'The weather is nice.' --source en --target de --method alti -o why.svg
  pellucid attention 'The weather is nice.' --source en --target de \\
      --contrast 'Das Wetter ist gut.' --table
  pellucid attention 'The weather is nice.' --source en --target de --without-heads cross:1:0
  pellucid attention corpus.tsv --source en --target de --output corpus.npz

The JSON is that of POST /attention: per kind an array [layer][head][query][key].
"""
_SHADES = " ░▒▓█"
_MIN_COLUMN = 3


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `attention`."""
    parser = commands.add_parser(
        "attention",
        help="show which tokens the model looked at",
        description="Translate a text, or take a translation, and show the attention maps.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "text",
        help="a text in the source language; with --output also a file with one in each line",
    )
    add_model_arguments(parser)
    parser.add_argument("--translation", help="inspect this translation instead of the model's")
    parser.add_argument(
        "--contrast",
        metavar="TRANSLATION",
        help="another translation to compare with, token by token; as JSON, .npz or --table",
    )
    add_heads_argument(parser)
    _add_selection(parser)
    _add_output(parser)
    parser.set_defaults(run=run)


def _add_selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--kinds", nargs="+", default=["cross"], help="encoder, decoder, cross [cross]"
    )
    parser.add_argument("--layers", nargs="+", type=int, help="indices from 0 [all]")
    parser.add_argument("--heads", nargs="+", type=int, help="indices from 0 [all]")
    parser.add_argument(
        "--reduce",
        choices=["none", "heads", "all"],
        default="none",
        help="take the mean over the heads of each layer, or over all heads of all layers [none]",
    )
    parser.add_argument(
        "--method",
        default="attention",
        help="attention, or what each token comes from: rollout, value_zeroing, alti, occlusion "
        "[attention]",
    )
    parser.add_argument("--words", action="store_true", help="pool pieces to words")


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o",
        "--output",
        "--out",
        type=Path,
        metavar="FILE",
        help="write to this file, of a text .json, .npz, .svg, .png or .html; of a file of lines, "
        "each a text or a text, tab, its translation: .npz, .pharaoh (alignments of white-space "
        "tokens) or .json (for inseq)",
    )
    parser.add_argument(
        "--table",
        action="store_true",
        help="print cross-attention, mean of all heads, in percent; with --contrast the tokens of "
        "both translations, and the difference of their log-probabilities in nats",
    )
    parser.add_argument(
        "--gold",
        type=Path,
        metavar="FILE",
        help="of a file of lines: gold alignments, 0-0 sure and 0?0 possible; prints the error "
        "rate",
    )


def run(arguments: argparse.Namespace) -> int:
    """Inspect one text, or a file of them; returns the exit code.

    Raises:
        StartupError: A setting or a bundle cannot be used.
        ServiceError: The text cannot be translated, or the model has no such maps.
    """
    from service.api.native.attention_formats import JSON, attention_body

    if arguments.gold or (arguments.output and _names_file(arguments.text)):
        from service.cli.inspection.attention_corpus import run_corpus

        return run_corpus(arguments, _request(arguments))
    _check_table(arguments)
    media_type = _media_type(arguments) if arguments.output else JSON
    request = _request(arguments)
    with open_translator(arguments) as translator:
        pairs = asyncio.run(translator.attention(request))
    if arguments.table:
        sys.stdout.write(_table(pairs[0]))
        return 0
    content = attention_body(media_type, pairs, request.selection, is_list=False)
    if arguments.output:
        with naming(arguments.output):
            arguments.output.write_bytes(content)
    else:
        with naming(STANDARD_OUTPUT):
            sys.stdout.buffer.write(content + b"\n")
    return 0


def _names_file(text: str) -> bool:
    """Whether the argument is a file of lines: one that exists, or one word with a suffix."""
    try:
        if Path(text).is_file():
            return True
    except (OSError, ValueError):  # too long for a name, or no name at all
        return False
    return not any(map(str.isspace, text)) and Path(text).suffix.strip(".") != ""


def _check_table(arguments: argparse.Namespace) -> None:
    """Refuses a table of what it does not show."""
    is_shown = (
        arguments.output is None
        and arguments.kinds == ["cross"]
        and arguments.reduce in ("none", "all")
        and arguments.method == "attention"
    )
    if arguments.table and not is_shown:
        raise StartupError(
            "--table prints cross-attention, the mean of all heads: leave out --output, --kinds, "
            "--reduce and --method"
        )


def _media_type(arguments: argparse.Namespace) -> str:
    from service.api.native.attention_formats import CONTRAST_FORMATS, FORMATS, SUFFIXES

    path: Path = arguments.output
    check_output(path, "--output")
    formats = FORMATS if arguments.contrast is None else CONTRAST_FORMATS
    offered = {suffix: found for suffix, found in SUFFIXES.items() if found in formats}
    if path.suffix.lower() not in offered:
        with_what = "" if arguments.contrast is None else " with --contrast"
        known = ", ".join(offered)
        raise StartupError(f"--output {path}: the suffix must be one of {known}{with_what}")
    return offered[path.suffix.lower()]


def _request(arguments: argparse.Namespace) -> "AttentionRequest":
    from service.inspection.values import AttentionRequest, AttentionSelection

    def indices(given: list[int] | None) -> tuple[int, ...] | None:
        return None if given is None else tuple(given)

    return AttentionRequest(
        texts=(arguments.text,),
        source=arguments.source,
        target=arguments.target,
        translations=None if arguments.translation is None else (arguments.translation,),
        contrasts=None if arguments.contrast is None else (arguments.contrast,),
        without_heads=heads_of(arguments),
        selection=AttentionSelection(
            kinds=tuple(arguments.kinds),
            layers=indices(arguments.layers),
            heads=indices(arguments.heads),
            reduce="all" if arguments.table else arguments.reduce,
            words=arguments.words,
            method=arguments.method,
        ),
    )


def _table(pair: "InspectedPair") -> str:
    if pair.contrast is not None:
        return contrast_table(pair)
    return "\n".join(heat_table(sentence.attention) for sentence in pair.sentences)


def heat_table(attention: "AttentionMaps") -> str:
    """A table: rows are target tokens, columns source tokens, cells shade and percentage."""
    weights = attention.maps["cross"][0, 0]
    widths = [max(len(token), _MIN_COLUMN) for token in attention.source_tokens]
    margin = max(map(len, attention.target_tokens))
    header = " ".join(t.rjust(w) for t, w in zip(attention.source_tokens, widths, strict=True))
    lines = [f"{'':{margin}} {header}"]
    for token, row in zip(attention.target_tokens, weights.tolist(), strict=True):
        cells = " ".join(_cell(v).rjust(w) for v, w in zip(row, widths, strict=True))
        lines.append(f"{token:{margin}} {cells}")
    return "\n".join(lines) + "\n"


def _cell(weight: float) -> str:
    shade = _SHADES[round(weight * (len(_SHADES) - 1))]
    return f"{shade}{min(round(100 * weight), 99):2d}" if weight >= 0.005 else ""
