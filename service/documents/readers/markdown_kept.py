"""Blocks beyond CommonMark that hold no text: `$$` formulas, and the `:::` lines of containers.

GitHub knows formulas; Docusaurus, VitePress, MyST and pandoc know both.
"""

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock

_FORMULA = "$$"
_CONTAINER = ":::"
_INTERRUPTS = ["paragraph", "reference", "blockquote", "list"]
_SEARCHED = "no formula ends before"
"""Line up to which no end of a formula was found, so that none is searched for twice."""


def keep_blocks(parser: MarkdownIt) -> MarkdownIt:
    """The parser, which now leaves these blocks without a token."""
    for name, rule in (("formula", _formula), ("container", _container)):
        parser.block.ruler.before("fence", name, rule, {"alt": _INTERRUPTS})
    return parser


def _formula(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """From a line that begins with `$$` to one that ends so, without a blank line between."""
    first = _line(state, start)
    if not first.startswith(_FORMULA) or start < state.env.get(_SEARCHED, 0):
        return False
    last, is_closed = start, len(first) > 2 * len(_FORMULA) and first.endswith(_FORMULA)
    while not is_closed:
        last += 1
        if last >= end or state.isEmpty(last) or state.sCount[last] < state.blkIndent:
            state.env[_SEARCHED] = last
            return False
        is_closed = _line(state, last).endswith(_FORMULA)
    if not silent:
        state.line = last + 1
    return True


def _container(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """The first or the last line of a container: its kind and title, or nothing."""
    del end
    if not _line(state, start).startswith(_CONTAINER):
        return False
    if not silent:
        state.line = start + 1
    return True


def _line(state: StateBlock, number: int) -> str:
    """A line without the marks and white space around it; empty: it is code."""
    if state.is_code_block(number):
        return ""
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]].rstrip()
