"""Strategies for marked-up texts, well-formed and not."""

from hypothesis import strategies as st

any_text = st.text(st.characters(exclude_categories=()))

_TAGS = [
    "<b>", "</b>", "<i class='x'>", "</i>", "<p>", "</p>", "<br>", "<br/>", "<a href=", "<code>",
    "</code>", "<script>", "</script>", "<title>", "</title>", "<span translate=no>", "</span>",
    "<img>", "<x/>", "<svg>", "<pre>", "</pre>", "<@>",
]  # fmt: skip
_SIGNS = [
    '"', "'", "=", ">", "<", "&", "&amp;", "&nbsp;", "&copy", "&house;", "&#0;", "&#39;", "&shy;",
    "&notit;", "<!--", "-->", "--!>", "<![CDATA[", "]]>", "<?", "?>", "</", "<!", "[", "]",
    "<!DOCTYPE x [", ".", "a", "word", " ", "\n", "\ue000", "\xa0",
]  # fmt: skip

tag_soup = st.lists(
    st.sampled_from([*_TAGS, *_SIGNS]) | st.text(st.characters(exclude_categories=()), max_size=3),
    max_size=30,
).map("".join)


def _element(content: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    name = st.sampled_from(["b", "i", "p", "x-y"])
    attribute = st.sampled_from(["", " k='a > b'", ' k="&lt;/b>"'])
    parts = st.lists(content, max_size=4).map("".join)
    return st.builds(lambda n, a, c: f"<{n}{a}>{c}</{n}>", name, attribute, parts)


_words = st.sampled_from(
    ["house", "a &amp; b", " ", "&#160;", " the ", "x &lt; y", "<e/>", "\n", "."]
)

well_formed = st.recursive(_words, _element, max_leaves=25).map(lambda inner: f"<r>{inner}</r>")
"""XML with a single root."""
