"""Memory of engine processes: a real server of the tiny bundle, measured."""

import argparse

import pytest

from benchmarks.serving.engine_memory import measure
from tests.service.tiny_models import TINY_BUNDLE

pytestmark = pytest.mark.slow


def test_every_engine_of_every_bundle_is_counted() -> None:
    arguments = argparse.Namespace(bundle=TINY_BUNDLE, engines=2, clients=2)
    rows = measure(2, arguments)
    moments = [row.moment for row in rows]
    assert moments == ["at rest", "after translating", "after aligning"]
    for row in rows:
        assert row.bundles == 2
        assert row.engines in (2, 3)  # one each, and one for who has a backlog
        assert 0 < row.engine_private_mb <= row.largest_engine_private_mb
        assert row.engine_private_mb < row.engine_resident_mb
        total = row.front_private_mb + row.engines * row.engine_private_mb
        assert total * 0.9 < row.all_mb < row.front_resident_mb + 4 * row.engine_resident_mb
