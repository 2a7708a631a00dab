"""Time of parsers on hostile HTML: the service's, and those of several libraries.

    python -m benchmarks.quality.text.markup_parsers

Prints seconds at one size and at twice that size: linear time doubles. Libraries that are not
installed are skipped.
"""

import argparse
import time
from collections.abc import Callable
from html.parser import HTMLParser

from service.text.markup.document import read_markup
from service.text.markup.passage import MarkupOptions

Parser = Callable[[str], object]

_INPUTS = {
    "prose": "<p>The <b>house</b> is <a href='x?a&amp;b'>small</a> &amp; old.</p>\n",
    "<b>": "<b>",
    "<!--": "<!-- ",
    '<a x="': '<a x="',
    "<": "<",
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--num-chars", type=int, default=60_000)
    num_chars = parser.parse_args().num_chars
    print("| parser |", " | ".join(_INPUTS), "|")
    print("|---|", "---|" * len(_INPUTS), sep="")
    for name, parse in _parsers().items():
        cells = [_cell(parse, piece, num_chars) for piece in _INPUTS.values()]
        print(f"| {name} |", " | ".join(cells), "|", flush=True)


def _cell(parse: Parser, piece: str, num_chars: int) -> str:
    return " / ".join(
        f"{_seconds(parse, piece * (size // len(piece))):.3f}"
        for size in (num_chars, 2 * num_chars)
    )


def _seconds(parse: Parser, text: str) -> float:
    start = time.perf_counter()
    parse(text)
    return time.perf_counter() - start


def _parsers() -> dict[str, Parser]:
    parsers: dict[str, Parser] = {
        "ours": lambda text: read_markup(text, MarkupOptions()),
        "html.parser": _read_with_html_parser,
    }
    for name, load in (
        ("tree-sitter-html", _load_tree_sitter),
        ("html5lib", _load_html5lib),
        ("justhtml", _load_justhtml),
        ("selectolax", _load_selectolax),
    ):
        try:
            parsers[name] = load()
        except ImportError:
            print(f"{name} is not installed")
    return parsers


def _read_with_html_parser(text: str) -> None:
    parser = HTMLParser(convert_charrefs=False)
    parser.feed(text)
    parser.close()


def _load_tree_sitter() -> Parser:
    import tree_sitter
    import tree_sitter_html

    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_html.language()))
    return lambda text: parser.parse(text.encode())


def _load_html5lib() -> Parser:
    import html5lib

    parse: Parser = html5lib.parse
    return parse


def _load_justhtml() -> Parser:
    from justhtml import JustHTML

    return lambda text: JustHTML(text, sanitize=False)


def _load_selectolax() -> Parser:
    from selectolax.lexbor import LexborHTMLParser

    parse: Parser = LexborHTMLParser
    return parse


if __name__ == "__main__":
    main()
