from itertools import pairwise

import numpy as np

from service.inspection.heat_map.figure import DARKEST, as_hex, colour, shades


def test_shades_grow_with_the_square_root() -> None:
    weights = np.array([[0.0, 0.25, 1.0]], dtype=np.float32)
    assert shades(weights).tolist() == [[0, DARKEST // 2, DARKEST]]


def test_weights_a_little_outside_are_taken_for_the_nearest() -> None:
    weights = np.array([-1e-7, 1 + 1e-6], dtype=np.float32)
    assert shades(weights).tolist() == [0, DARKEST]


def test_nothing_is_paper_and_everything_is_dark() -> None:
    assert as_hex(colour(0)) == "#ffffff"
    assert as_hex(colour(DARKEST)) == "#061e4b"


def test_every_shade_is_darker_than_the_one_before() -> None:
    luminance = [
        0.2126 * red + 0.7152 * green + 0.0722 * blue
        for red, green, blue in map(colour, range(DARKEST + 1))
    ]
    assert all(dark < light for light, dark in pairwise(luminance))
