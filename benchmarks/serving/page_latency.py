"""How long the page takes from the last key to the first words of the translation.

    python -m benchmarks.serving.page_latency http://127.0.0.1:8000/ --sentences FILE

Types each sentence into the page in Chromium. The clock runs in the page: from the last input event
to the first change of the translation after it, so it holds the pause that the page waits for
another key, the request, the translation and the drawing.
"""

import argparse
import lzma
import shutil
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

_KEY_DELAY_MS = 15
_CLOCK = """() => {
    const [text, translation] = ["text", "translation"].map((id) => document.getElementById(id));
    text.addEventListener("input", () => {
        [window.lastKey, window.shown] = [performance.now(), null];
    }, true);
    new MutationObserver(() => {
        if (translation.textContent) window.shown ??= performance.now();
    }).observe(translation, { childList: true });
}"""
_ELAPSED = "window.shown === null ? null : window.shown - window.lastKey"


def main() -> None:
    """Types sentences and prints the percentiles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="address of the page")
    parser.add_argument("--sentences", type=Path, required=True, help="a sentence a line, or pairs")
    parser.add_argument("--target", default="de")
    parser.add_argument("--count", type=int, default=100)
    arguments = parser.parse_args()
    sentences = list(islice(_sentences(arguments.sentences), arguments.count))
    times = sorted(_measured(arguments.url, arguments.target, sentences))
    shares = {f"p{share}": times[int(share / 100 * (len(times) - 1))] for share in (50, 90, 95, 99)}
    print(f"{len(times)} sentences", *(f"{name} {value:.0f} ms" for name, value in shares.items()))


def _sentences(path: Path) -> Iterator[str]:
    with lzma.open(path, "rt") if path.suffix == ".xz" else path.open() as lines:
        for line in lines:
            sentence = line.partition("\t")[0].strip()
            if 4 <= len(sentence.split()) <= 20:
                yield sentence


def _measured(url: str, target: str, sentences: Sequence[str]) -> Iterator[float]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page()
        page.goto(url)
        page.wait_for_selector("#examples button")
        page.select_option("#target", target)
        page.evaluate(_CLOCK)
        for sentence in sentences:
            yield _typed(page, sentence)
        browser.close()


def _typed(page: "Page", sentence: str) -> float:
    page.fill("#text", "")
    page.wait_for_timeout(100)
    page.type("#text", sentence, delay=_KEY_DELAY_MS)
    while (elapsed := page.evaluate(_ELAPSED)) is None:
        page.wait_for_timeout(10)
    return float(elapsed)


if __name__ == "__main__":
    main()
