import base64
import hashlib
import re
from html.parser import HTMLParser

from service.inspection.heat_map.page import CONTENT_SECURITY_POLICY, page
from service.inspection.values import AttentionSelection
from tests.service.inspection.heat_map.samples import inspected, pair_of

ALL = AttentionSelection()


class _Reader(HTMLParser):
    """Remembers every tag and all text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def read(written: str) -> _Reader:
    reader = _Reader()
    reader.feed(written)
    reader.close()
    return reader


def test_the_page_shows_texts_maps_words_and_tokens() -> None:
    read_page = read(page([pair_of(inspected())], ALL))
    assert [tag for tag, _ in read_page.tags].count("svg") == 1
    for text in ("Good day", "Guten Tag", "layer 1, head 0", "0.88", "60.7%"):
        assert text in read_page.text
    assert re.search(r"Guten\s*Tag", read_page.text)


def test_numbers_are_there_for_who_cannot_see_the_picture() -> None:
    written = page([pair_of(inspected())], ALL)
    # Mean of both layers: (1 + 0) / 2, (0 + 1) / 2.
    assert '<th scope="row">_Guten</th><td>50</td><td>50</td>' in written
    # (0.25 + 0) / 2, (0.75 + 1) / 2, as Python rounds halves.
    assert '<th scope="row">_Tag</th><td>12</td><td>88</td>' in written


def test_ids_are_unique_among_several_sentences() -> None:
    reader = read(page([pair_of(inspected(), inspected())], ALL))
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == 4
    assert len(set(ids)) == 4


def test_markup_in_a_text_stays_text() -> None:
    reader = read(page([pair_of(inspected(source='<script>x</script><img src="y">'))], ALL))
    assert {"script", "img"}.isdisjoint(tag for tag, _ in reader.tags)
    assert "<script>x</script>" in reader.text


def test_the_policy_allows_the_page_only_its_own_style() -> None:
    written = page([pair_of(inspected())], ALL)
    (style,) = re.findall("<style>(.*?)</style>", written, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    attributes = [name for _, given in read(written).tags for name in given]
    assert not any(name == "style" or name.startswith("on") for name in attributes)


def test_a_text_without_maps_says_so() -> None:
    assert "did not run" in page([pair_of()], ALL)
