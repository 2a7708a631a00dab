"""Passes that ask for causes cross to an engine process and back unchanged."""

import numpy as np

from service.engine.inspection import Attended, AttendRequest, PairOutputs, WantedOutputs
from service.scheduling.workers.messages import (
    Attend,
    Frames,
    decode_attended,
    encode,
    encode_attended,
)


def test_a_request_names_its_places() -> None:
    wanted = WantedOutputs(cause="value_zeroing", places=(3, 9))
    request = AttendRequest(handle=7, pairs=(((5, 3), (6, 7, 3)),), wanted=wanted)
    (message,) = Frames().feed(encode(Attend(request=request)))
    assert message == Attend(request=request)


def test_layers_of_any_shape_come_back() -> None:
    random = np.random.default_rng(0)
    layers = tuple(
        random.standard_normal(shape).astype(np.float32) for shape in [(2, 3, 4), (5,), (0, 2)]
    )
    pairs = (PairOutputs(layers=layers), PairOutputs(log_probs=layers[1]))
    found = decode_attended(encode_attended(Attended(handle=7, pairs=pairs)))
    assert found.handle == 7
    assert len(found.pairs[0].layers) == 3 and not found.pairs[1].layers
    for expected, values in zip(layers, found.pairs[0].layers, strict=True):
        np.testing.assert_array_equal(values, expected)
