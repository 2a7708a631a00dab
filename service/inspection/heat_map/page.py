"""Inspected texts as a self-contained web page without scripts."""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from service.inspection.heat_map.layout import grids, lay_out
from service.inspection.heat_map.svg import svg
from service.inspection.heat_map.wording import printable
from service.inspection.values import (
    AttentionMaps,
    AttentionSelection,
    InspectedPair,
    InspectedSentence,
)
from service.text.alignment.word_links import pharaoh, words

_MAX_TITLE = 80
STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem 1rem 3rem; background: #fff;
  color: #1e2430; font: 1rem/1.55 system-ui, sans-serif; }
h1 { font-size: 1.05rem; font-weight: 600; color: #5b6373; }
h2 { font-size: 1.35rem; font-weight: 600; margin: 2rem 0 0; }
h3 { font-size: 1rem; font-weight: 600; margin: 1.75rem 0 .5rem; }
.translation { font-size: 1.35rem; margin: 0; color: #21579c; }
.note { color: #5b6373; max-width: 42rem; }
.wide { overflow-x: auto; }
.wide:focus-visible { outline: 3px solid #21579c; }
table { border-collapse: collapse; }
th, td { padding: .15rem .6rem; text-align: left; border-bottom: 1px solid #e3e7ed; }
td { font-variant-numeric: tabular-nums; }
summary { cursor: pointer; }
"""
_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'"
)
"""Allows nothing but the style of the page."""


def page(pairs: Sequence[InspectedPair], selection: AttentionSelection) -> str:
    """The page of some texts, with all their values.

    Args:
        pairs: The texts.
        selection: Names the layers and heads of the maps.
    """
    title = _shown(" ".join(pair.source for pair in pairs)[:_MAX_TITLE])
    sentences = (sentence for pair in pairs for sentence in pair.sentences)
    parts = [
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Attention: {title}</title>",
        f'<link rel="icon" href="data:,">\n<style>{STYLE}</style>\n<main>',
        "<h1>What the model looked at</h1>",
        *(
            part
            for number, sentence in enumerate(sentences)
            for part in _sentence(sentence, selection, number)
        ),
    ]
    if not any(pair.sentences for pair in pairs):
        parts.append('<p class="note">The model did not run on this text.</p>')
    return "\n".join([*parts, "</main>", "</html>"]) + "\n"


def _sentence(
    sentence: InspectedSentence, selection: AttentionSelection, number: int
) -> Iterator[str]:
    yield f"<h2>{_shown(sentence.source)}</h2>"
    yield f'<p class="translation">{_shown(sentence.translation)}</p>'
    confidence = sentence.attention.confidence
    yield (
        f'<p class="note">Confidence {confidence.value:.2f}: coverage deviation '
        f"{confidence.coverage_deviation:.3f}, absentmindedness {confidence.absentmindedness:.3f}."
        "</p>"
    )
    alone = InspectedPair(
        source=sentence.source, translation=sentence.translation, sentences=(sentence,)
    )
    picture = svg(lay_out([alone], selection, with_texts=False), f"figure-{number}")
    yield f'<div class="wide" tabindex="0" role="group" aria-label="Heat maps">{picture}</div>'
    yield from _numbers(sentence.attention)
    yield from _words(sentence)
    yield from _tokens(sentence.attention)


def _numbers(attention: AttentionMaps) -> Iterator[str]:
    """Tables of the mean of each kind's maps in percent, for screen readers."""
    for grid in grids(attention):
        rows = [
            [query, *(f"{weight:.0f}" for weight in row)]
            for query, row in zip(grid.queries, 100 * np.mean(grid.maps, axis=(0, 1)), strict=True)
        ]
        yield f"<details><summary>{grid.heading}; mean of these maps, percent</summary>"
        yield f'<div class="wide">{_table(["", *grid.keys], rows)}</div></details>'


def _words(sentence: InspectedSentence) -> Iterator[str]:
    links = pharaoh(sentence.links, sentence.source, sentence.translation)
    if not links:
        return
    sources = [sentence.source[begin:end] for begin, end in words(sentence.source)]
    targets = [sentence.translation[begin:end] for begin, end in words(sentence.translation)]
    rows = [[sources[i], targets[j], f"{weight:.2f}"] for i, j, weight in links]
    yield "<h3>Which word became which</h3>"
    yield _table(["source", "translation", "weight"], rows)


def _tokens(attention: AttentionMaps) -> Iterator[str]:
    scores = zip(attention.target_tokens, attention.token_log_probs, strict=True)
    rows = [[token, f"{np.exp(log_prob):.1%}"] for token, log_prob in scores]
    yield "<h3>How likely each token was</h3>"
    yield _table(["token", "probability"], rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the first column names the row."""
    head = "".join(f'<th scope="col">{_shown(name)}</th>' for name in header)
    body = "".join(
        f'<tr><th scope="row">{_shown(name)}</th>'
        + "".join(f"<td>{_shown(cell)}</td>" for cell in cells)
        + "</tr>"
        for name, *cells in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _shown(text: str) -> str:
    return escape(printable(text))
