"""Starts LibreTranslate with our sentence splitter, where it would download one.

Run by the interpreter that LibreTranslate is installed for. Both services cut texts into sentences
at the same places then, and no difference between them comes from there.
"""

import importlib
import sys

from service.text.segmentation.splitter import split


def main() -> None:
    """Serve until it is ended."""
    splitters = importlib.import_module("argostranslate.sbd")
    splitters.MiniSBDSentencizer.split_sentences = _sentences
    sys.exit(importlib.import_module("libretranslate.main").main())


def _sentences(splitter: object, text: str) -> list[str]:
    del splitter
    return [segment.text for segment in split(text) if segment.text]


if __name__ == "__main__":
    main()
