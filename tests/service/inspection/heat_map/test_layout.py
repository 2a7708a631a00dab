import numpy as np
import pytest

from service.inspection.heat_map.figure import CELL, Figure, shades
from service.inspection.heat_map.layout import lay_out
from service.inspection.values import AttentionSelection
from tests.service.inspection.heat_map.samples import CROSS, inspected, large_map, pair_of

SCALE = ["1%", "5%", "10%", "25%", "50%", "100%"]


def figure(selection: AttentionSelection | None = None) -> Figure:
    return lay_out([pair_of(inspected())], selection or AttentionSelection())


def names(drawn: Figure) -> list[str]:
    return [panel.name for panel in drawn.panels if panel.name not in SCALE]


def test_every_map_is_a_panel_with_its_shades() -> None:
    drawn = figure()
    assert names(drawn) == ["layer 0, head 0", "layer 1, head 0"]
    for layer, panel in zip(CROSS, drawn.panels, strict=False):
        np.testing.assert_array_equal(panel.shades, shades(layer[0]))


def test_panels_have_the_numbers_that_were_asked_for() -> None:
    assert names(figure(AttentionSelection(layers=(5, 3), heads=(7,)))) == [
        "layer 5, head 7",
        "layer 3, head 7",
    ]
    assert names(figure(AttentionSelection(layers=(4, 5), reduce="heads"))) == [
        "layer 4, mean of heads",
        "layer 5, mean of heads",
    ]
    assert names(figure(AttentionSelection(reduce="all")))[0] == "mean of layers and heads"


def test_tokens_stand_beside_their_rows_and_above_their_columns() -> None:
    drawn = figure()
    panel = drawn.panels[0]
    bottom = panel.y + panel.height
    places = [(label.text, label.x, label.y) for label in drawn.labels if label.y < bottom]
    rows = {text: y for text, x, y in places if x == panel.x - 5}
    assert panel.y < rows["_Guten"] < panel.y + CELL < rows["_Tag"] < panel.y + 2 * CELL
    columns = {text: x for text, x, y in places if y == panel.y - 5}
    assert panel.x < columns["_Good"] < panel.x + CELL < columns["_day"] < panel.x + 2 * CELL


@pytest.mark.parametrize(
    ("kind", "rows", "columns"),
    [
        ("encoder", "source", "source"),
        ("decoder", "target", "target"),
        ("cross", "target", "source"),
    ],
)
def test_each_kind_has_its_axes(kind: str, rows: str, columns: str) -> None:
    tokens = {"source": ["S0", "S1"], "target": ["T0", "T1", "T2"]}
    maps = np.zeros((1, 1, len(tokens[rows]), len(tokens[columns])), dtype=np.float32)
    sentence = inspected(
        {kind: maps},  # type: ignore[dict-item] # a kind, from a table of texts
        source_tokens=("S0", "S1"),
        target_tokens=("T0", "T1", "T2"),
    )
    drawn = lay_out([pair_of(sentence)], AttentionSelection())
    assert [x.text for x in drawn.labels if x.style.is_right_aligned] == tokens[rows]
    assert [x.text for x in drawn.labels if x.style.is_upright] == tokens[columns]


def test_nothing_overlaps_or_leaves_the_picture() -> None:
    sentences = [large_map(7), inspected(), large_map(40, layers=1)]
    drawn = lay_out([pair_of(*sentences)], AttentionSelection())
    boxes = [(p.x, p.y, p.x + p.width, p.y + p.height) for p in drawn.panels]
    for i, (left, top, right, bottom) in enumerate(boxes):
        assert left >= 0 and top >= 0 and right <= drawn.width and bottom <= drawn.height
        for other in boxes[:i]:
            beside = right <= other[0] or other[2] <= left
            assert beside or bottom <= other[1] or other[3] <= top
    assert all(0 <= x.x <= drawn.width and 0 <= x.y <= drawn.height for x in drawn.labels)


def test_long_tokens_are_cut_and_cells_keep_their_size() -> None:
    tokens = ("▁" + "x" * 500, "▁day")
    drawn = lay_out([pair_of(inspected(source_tokens=tokens))], AttentionSelection())
    longest = max(len(label.text) for label in drawn.labels if label.style.is_upright)
    assert longest == 24
    assert drawn.width < 2000


def test_a_text_without_maps_says_so() -> None:
    drawn = lay_out([pair_of()], AttentionSelection())
    assert drawn.panels == ()
    assert "no attention maps" in drawn.labels[0].text


def test_the_description_is_for_who_cannot_see() -> None:
    drawn = figure()
    assert drawn.title == "Attention: Good day"
    assert "Guten Tag" in drawn.description
    assert "2 heat maps" in drawn.description
