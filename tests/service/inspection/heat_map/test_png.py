import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from service.errors import PayloadTooLargeError
from service.inspection.heat_map.figure import CELL, colour
from service.inspection.heat_map.layout import lay_out
from service.inspection.heat_map.png import MAX_PIXELS, check_fits, png
from service.inspection.values import AttentionSelection
from tests.service.inspection.heat_map import samples
from tests.service.inspection.heat_map.samples import inspected, large_map, pair_of

ALL = AttentionSelection()
MOST_GROWTH_BYTES = 40_000_000
"""Pillow alone would hold 96 MB of the largest picture."""
GROWTH = f"""
import resource
from service.inspection.heat_map.layout import lay_out
from service.inspection.heat_map.png import MAX_PIXELS, png
from service.inspection.values import AttentionSelection
from {samples.__name__} import inspected, large_map, pair_of
def peak():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
small = lay_out([pair_of(inspected())], AttentionSelection())
large = lay_out([pair_of(large_map(114))], AttentionSelection())
png(small)
before = peak()
png(large)
print(large.width * large.height / MAX_PIXELS, peak() - before)
"""


def test_cells_have_the_colours_of_their_shades() -> None:
    figure = lay_out([pair_of(inspected())], ALL)
    image = Image.open(BytesIO(png(figure)))
    assert image.size == (2 * figure.width, 2 * figure.height)
    for panel in figure.panels:
        for (row, column), shade in np.ndenumerate(panel.shades):
            x = 2 * (panel.x + CELL * column + CELL // 2)
            y = 2 * (panel.y + CELL * row + CELL // 2)
            assert image.getpixel((x, y)) == colour(int(shade))


def test_labels_are_written_where_they_belong() -> None:
    figure = lay_out([pair_of(inspected())], ALL)
    pixels = np.asarray(Image.open(BytesIO(png(figure))).convert("L"))
    panel = figure.panels[0]
    left = pixels[2 * panel.y : 2 * (panel.y + panel.height), : 2 * panel.x - 2]
    above = pixels[2 * panel.y - 60 : 2 * panel.y - 2, 2 * panel.x : 2 * (panel.x + panel.width)]
    for part in (left, above):
        assert part.min() < 128, "there is ink"
    for row in range(3):
        assert left[2 * CELL * row : 2 * CELL * (row + 1)].min() < 128
    ink = np.argwhere(left < 128)[:, 1].max()
    assert 2 * panel.x - 20 < ink < 2 * panel.x - 4, "row labels end beside the map"


def test_a_large_picture_has_a_pixel_for_a_pixel() -> None:
    figure = lay_out([pair_of(large_map(90))], ALL)
    assert MAX_PIXELS / 4 < figure.width * figure.height <= MAX_PIXELS
    check_fits(figure, [], ALL)
    assert Image.open(BytesIO(png(figure))).size == (figure.width, figure.height)


def test_bands_meet_without_a_seam() -> None:
    """Every cell of a large picture, and the same letters wherever a band ends."""
    figure = lay_out([pair_of(large_map(90))], ALL)
    image = np.asarray(Image.open(BytesIO(png(figure))))
    for panel in figure.panels[:: len(figure.panels) // 3]:
        y = panel.y + CELL // 2 + CELL * np.arange(panel.shades.shape[0])
        x = panel.x + CELL // 2 + CELL * np.arange(panel.shades.shape[1])
        colours = np.array([[colour(int(shade)) for shade in row] for row in panel.shades])
        for shift in (1 - CELL // 2, 0, CELL // 2 - 1):
            assert np.array_equal(image[np.ix_(y + shift, x + shift)], colours)


def test_the_largest_picture_costs_a_band_of_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-c", GROWTH], capture_output=True, encoding="ascii", check=True
    )
    share, growth = map(float, done.stdout.split())
    assert 0.9 < share <= 1
    assert growth < MOST_GROWTH_BYTES


def test_a_picture_that_is_too_large_is_refused_with_one_that_is_not() -> None:
    pairs = [pair_of(large_map(200))]
    with pytest.raises(PayloadTooLargeError) as refused:
        check_fits(lay_out(pairs, ALL), pairs, ALL)
    assert 'ask for "layers": [1], "heads": [0, 1], or for image/svg+xml' in str(refused.value)
    advised = AttentionSelection(layers=(1,), heads=(0, 1))
    fewer = [pair_of(large_map(200, layers=1, heads=2))]
    check_fits(lay_out(fewer, advised), fewer, advised)
    all_heads = AttentionSelection(layers=(1,))
    more = [pair_of(large_map(200, layers=1, heads=3))]
    with pytest.raises(PayloadTooLargeError):
        check_fits(lay_out(more, all_heads), more, all_heads)


def test_a_mean_of_heads_stays_one_of_all_heads() -> None:
    pairs = [pair_of(large_map(200, layers=3, heads=1))]
    selection = AttentionSelection(reduce="heads")
    with pytest.raises(PayloadTooLargeError, match=r'ask for "layers": \[2\], or for image'):
        check_fits(lay_out(pairs, selection), pairs, selection)


def test_advice_keeps_to_the_numbers_that_were_asked_for() -> None:
    pairs = [pair_of(large_map(200))]
    selection = AttentionSelection(layers=(5, 3), heads=(7, 2, 4))
    with pytest.raises(PayloadTooLargeError, match=r'"layers": \[3\], "heads": \[7, 2\]'):
        check_fits(lay_out(pairs, selection), pairs, selection)


@pytest.mark.parametrize("selection", [ALL, AttentionSelection(reduce="all")])
def test_where_one_map_is_too_large_another_form_is_named(selection: AttentionSelection) -> None:
    pairs = [pair_of(large_map(400, layers=1, heads=1))]
    with pytest.raises(PayloadTooLargeError, match=r"fewer texts, or ask for image/svg\+xml"):
        check_fits(lay_out(pairs, selection), pairs, selection)
