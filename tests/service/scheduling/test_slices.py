"""Work in slices, and the replies that are made in them."""

import numpy as np
import pytest
from pydantic_core import to_json

from service.api.replies.json import json_bytes
from service.scheduling.slices import Baton, Work

LONG_S = 3600.0
"""Nothing here may wait for so long."""


def test_no_rest_follows_where_others_have_no_use_for_it() -> None:
    baton = Baton(lambda: False)
    baton.acquire()
    baton.release(LONG_S)
    baton.acquire()


def test_a_large_reply_lets_others_in_between_its_rows() -> None:
    asked: list[bool] = []

    def has_company() -> bool:
        asked.append(True)
        return False

    maps = np.zeros((8, 256, 256), dtype=np.float32)
    Work(Baton(has_company)).run(lambda: json_bytes({"cross": maps}))
    assert len(asked) > 2


@pytest.mark.parametrize("shape", [(3, 0), (1, 9000), (2, 5000), (300, 123), (2, 3, 70, 64), (5,)])
def test_an_array_is_written_as_a_whole(shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).random(shape, dtype=np.float32)
    rounded = np.round(array.astype(np.float64), 7).tolist()
    assert json_bytes(array) == to_json(rounded)
