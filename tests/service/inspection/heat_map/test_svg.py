import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.inspection.heat_map.figure import CELL, DARKEST, as_hex, colour, shades
from service.inspection.heat_map.layout import lay_out
from service.inspection.heat_map.svg import svg
from service.inspection.values import AttentionSelection
from tests.service.inspection.heat_map.samples import CROSS, inspected, large_map, pair_of

NAMES = {"svg": "http://www.w3.org/2000/svg"}
RUN = re.compile(r"M(\d+) (\d+)h(\d+)v16h-\3z")


def drawn(source: str = "Good day", name: str = "figure") -> ET.Element:
    figure = lay_out([pair_of(inspected(source=source))], AttentionSelection())
    return ET.fromstring(svg(figure, name))


def cells(panel: ET.Element) -> dict[tuple[int, int], str]:
    """Colour of every cell that is not paper, by row and column."""
    found: dict[tuple[int, int], str] = {}
    for path in panel.findall("svg:path", NAMES):
        for x, y, length in RUN.findall(path.attrib["d"]):
            for column in range(int(x) // CELL, (int(x) + int(length)) // CELL):
                place = (int(y) // CELL, column)
                assert place not in found, "a cell is drawn once"
                found[place] = path.attrib["fill"]
    return found


def test_cells_have_the_colours_of_their_weights() -> None:
    panel = drawn().findall("svg:g", NAMES)[0]
    dark, half, most = (as_hex(colour(shade)) for shade in (DARKEST, 17, 21))
    assert shades(np.array([0.5, 0.75], dtype=np.float32)).tolist() == [17, 21]
    quarter = as_hex(colour(DARKEST // 2))
    assert cells(panel) == {
        (0, 0): dark,
        (1, 0): quarter,
        (1, 1): most,
        (2, 0): half,
        (2, 1): half,
    }


def test_neighbours_of_one_shade_are_one_rectangle() -> None:
    figure = lay_out([pair_of(large_map(50, layers=1, heads=1))], AttentionSelection())
    text = svg(figure)
    assert f"M0 0h{50 * CELL}v{CELL}h-{50 * CELL}z" in text


def test_the_picture_has_a_title_and_a_description() -> None:
    root = drawn(name="one")
    assert root.attrib["role"] == "img"
    title, description = root[0], root[1]
    assert root.attrib["aria-labelledby"].split() == [title.attrib["id"], description.attrib["id"]]
    assert title.attrib["id"] == "one-title"
    assert title.text == "Attention: Good day"
    assert "2 heat maps" in (description.text or "")
    names = [
        panel.findtext("svg:title", namespaces=NAMES) for panel in root.findall("svg:g", NAMES)
    ]
    assert names[:2] == ["layer 0, head 0", "layer 1, head 0"]


def test_markup_in_a_text_stays_text() -> None:
    root = drawn('</title><script>alert(1)</script>"&')
    assert root.findall(".//svg:script", NAMES) == []
    assert "<script>" in (root[0].text or "")


def test_nothing_is_fetched_or_run() -> None:
    text = svg(lay_out([pair_of(inspected())], AttentionSelection()))
    assert not re.search(r"href|url\(|style=|<style|\son\w+=", text)


@given(text=st.text(st.characters()), token=st.text(st.characters(), max_size=40))
def test_any_text_makes_a_document_that_can_be_read(text: str, token: str) -> None:
    sentence = inspected(source=text, translation=text, source_tokens=(token, "▁day"))
    ET.fromstring(svg(lay_out([pair_of(sentence)], AttentionSelection())).encode())


@pytest.mark.parametrize("size", [20, 200])
def test_size_grows_no_faster_than_the_number_of_cells(size: int) -> None:
    maps = np.random.default_rng(1).dirichlet([0.3] * size, size=(1, 1, size)).astype(np.float32)
    tokens = tuple(f"▁t{i}" for i in range(size))
    sentence = inspected({"cross": maps}, source_tokens=tokens, target_tokens=tokens)
    figure = lay_out([pair_of(sentence)], AttentionSelection())
    assert len(svg(figure)) < 5_000 + 200 * size + 40 * size * size


def test_both_layers_are_drawn() -> None:
    panels = drawn().findall("svg:g", NAMES)
    assert set(cells(panels[1])) == {(0, 1), (1, 1), (2, 0)}
    assert CROSS.shape[0] == 2
