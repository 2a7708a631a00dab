"""Ids are unique and have a fixed form."""

import re

from service.observability.random_ids import RandomIds


def test_ids_are_unique_across_draws() -> None:
    ids = RandomIds()
    made = [ids.new() for _ in range(1_000)]
    assert len(set(made)) == 1_000
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in made)
