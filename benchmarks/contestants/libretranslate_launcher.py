"""Starts LibreTranslate with the service's sentence splitter, instead of a downloaded one.

Run by the interpreter of LibreTranslate's environment. Both services then split texts into the same
sentences, which excludes the splitter as a cause of differences.
"""

import importlib
import sys

from service.text.segmentation.splitter import split


def main() -> None:
    """Serve until the process is ended."""
    splitters = importlib.import_module("argostranslate.sbd")
    splitters.MiniSBDSentencizer.split_sentences = _sentences
    sys.exit(importlib.import_module("libretranslate.main").main())


def _sentences(splitter: object, text: str) -> list[str]:
    del splitter
    return [segment.text for segment in split(text) if segment.text]


if __name__ == "__main__":
    main()
