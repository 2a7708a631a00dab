"""Which tokens of a document are not translated, and which separate running text."""

import re
from collections.abc import Sequence
from dataclasses import replace

from service.text.markup.passage import MarkupOptions
from service.text.markup.tokenizer import ATTRIBUTE, MarkupToken

_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "base",
        "blockquote",
        "body",
        "br",
        "button",
        "caption",
        "center",
        "col",
        "colgroup",
        "datalist",
        "dd",
        "details",
        "dialog",
        "dir",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "frame",
        "frameset",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "head",
        "header",
        "hgroup",
        "hr",
        "html",
        "legend",
        "li",
        "link",
        "listing",
        "main",
        "menu",
        "meta",
        "nav",
        "noframes",
        "noscript",
        "ol",
        "optgroup",
        "option",
        "p",
        "pre",
        "search",
        "section",
        "select",
        "summary",
        "table",
        "tbody",
        "td",
        "template",
        "tfoot",
        "th",
        "thead",
        "title",
        "tr",
        "ul",
        "xmp",
    ]
)
_WORDLESS = frozenset(
    ["iframe", "noembed", "noframes", "pre", "script", "style", "svg", "textarea", "xmp"]
)
"""Elements of HTML that are not translated and not part of the sentence around them."""
_WORDS = frozenset(["code", "math"])
_REFERENCES = frozenset(["a", "sup"])
_REFERENCE = re.compile(r"\s*[\[(]?(?:\d+|[*†‡§¶]+)[\])]?\s*")
"""The mark of a footnote: behind a word it is no part of it."""
_MAX_REFERENCE = 8
"""Tokens of such a mark, so that looking for it does not take longer in longer texts."""
_ROOT = -1


def merge_untranslated(
    tokens: Sequence[MarkupToken], options: MarkupOptions
) -> tuple[list[MarkupToken], frozenset[int]]:
    """Merges each element that is not translated into one token.

    An element that is never closed ends at the next tag of a block element.

    Returns:
        The tokens, and the indices of those that are words of a sentence: `<code>` in
        "Run <code>make</code> first.", but not an image or a script.
    """
    ends = _ends_of_elements(tokens)
    merged: list[MarkupToken] = []
    words: set[int] = set()
    index = 0
    while index < len(tokens):
        token = tokens[index]
        start = index
        index += 1
        if token.kind == "open" and "@" in token.name:  # <anna@example.org>
            words.add(len(merged))
        elif token.kind == "open" and is_untranslated(token, options):
            index = ends.get(start) or _next_block(tokens, index)
            text = "".join(part.text for part in tokens[start:index])
            if index > start + 1 and not _is_wordless(token, options):
                words.add(len(merged))
            token = replace(token, kind="single", text=text)
        elif options.kind == "html" and _is_reference(tokens, start, ends.get(start)):
            index = ends[start]
            text = "".join(part.text for part in tokens[start:index])
            token = replace(token, kind="single", text=text)
        merged.append(token)
    return merged, frozenset(words)


def find_separators(tokens: Sequence[MarkupToken], options: MarkupOptions) -> frozenset[int]:
    """Indices of the tokens that no sentence crosses.

    In HTML these are block elements and line breaks. In XML, where names carry no meaning, they
    are elements whose siblings and parents have no text between them.
    """
    if options.kind == "html":
        default = {i for i, token in enumerate(tokens) if token.name in _BLOCKS}
    else:
        default = _find_structure(tokens)
    return frozenset(
        i
        for i, token in enumerate(tokens)
        if token.name in options.splitting_tags
        or (i in default and token.name not in options.non_splitting_tags)
    )


def _ends_of_elements(tokens: Sequence[MarkupToken]) -> dict[int, int]:
    """The index behind the closing tag, by the index of the opening one."""
    ends: dict[int, int] = {}
    open_by_name: dict[str, list[int]] = {}
    for index, token in enumerate(tokens):
        if token.kind == "open":
            open_by_name.setdefault(token.name, []).append(index)
        elif token.kind == "close" and open_by_name.get(token.name):
            ends[open_by_name[token.name].pop()] = index + 1
    return ends


def is_untranslated(token: MarkupToken, options: MarkupOptions) -> bool:
    """Whether an element is kept as it is, by its name or by what its tag says."""
    if token.name in options.ignore_tags:
        return True
    if options.kind == "html" and token.name in _WORDLESS | _WORDS:
        return True
    return "translate" in token.text.lower() and any(
        _forbids_translation(match["name"].lower(), (match["value"] or "").strip("\"'").lower())
        for match in ATTRIBUTE.finditer(token.text, len(token.name) + 1, len(token.text) - 1)
    )


def _forbids_translation(attribute: str, value: str) -> bool:
    if attribute == "class":
        return "notranslate" in value.split()
    return attribute.rpartition(":")[2] == "translate" and value == "no"


def _is_reference(tokens: Sequence[MarkupToken], start: int, end: int | None) -> bool:
    """Whether an element is the mark of a footnote directly behind a word."""
    if end is None or start == 0 or tokens[start].name not in _REFERENCES:
        return False
    before = tokens[start - 1]
    if before.kind is not None or not before.text[-1:].isalpha() or end > start + _MAX_REFERENCE:
        return False
    content = "".join(part.text for part in tokens[start:end] if part.kind is None)
    return _REFERENCE.fullmatch(content) is not None


def _is_wordless(token: MarkupToken, options: MarkupOptions) -> bool:
    return options.kind == "html" and token.name in _WORDLESS | _BLOCKS


def _next_block(tokens: Sequence[MarkupToken], index: int) -> int:
    while index < len(tokens) and tokens[index].name not in _BLOCKS:
        index += 1
    return index


def _find_structure(tokens: Sequence[MarkupToken]) -> set[int]:
    """Tags of XML elements that have no running text beside them."""
    parents = _find_parents(tokens)
    mixed = {
        parents[i]
        for i, token in enumerate(tokens)
        if token.kind is None and _is_running_text(token.text)
    }
    separators: set[int] = set()
    for i, token in enumerate(tokens):
        element = parents[i]
        if token.kind == "close":  # judged by its own element, not by the one around it
            is_separator = element in separators
        else:
            is_separator = element not in mixed and (element == _ROOT or element in separators)
        if token.name and is_separator:
            separators.add(i)
    return separators


def _is_running_text(text: str) -> bool:
    # A space between `</b> <i>` joins them to one text; a line break does not.
    return bool(text.strip()) or not ("\n" in text or "\r" in text)


def _find_parents(tokens: Sequence[MarkupToken]) -> list[int]:
    """The index of the innermost open tag around each token; for a closing tag, of its own."""
    parents: list[int] = []
    stack = [_ROOT]
    num_open: dict[str, int] = {}
    for index, token in enumerate(tokens):
        if token.kind == "close" and num_open.get(token.name):
            while tokens[stack[-1]].name != token.name:
                num_open[tokens[stack.pop()].name] -= 1
            num_open[token.name] -= 1
            parents.append(stack.pop())
            continue
        parents.append(stack[-1])
        if token.kind == "open":
            stack.append(index)
            num_open[token.name] = num_open.get(token.name, 0) + 1
    return parents
