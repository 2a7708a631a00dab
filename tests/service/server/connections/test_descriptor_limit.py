"""How many connections fit; in processes of their own, which alone may lower their limits."""

import subprocess
import sys

import pytest

from service.server.connections.limit import RESERVED_DESCRIPTORS
from tests.service.server_process import REPOSITORY

CODE = """
import resource, sys
soft, hard, wanted = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
from service.server.connections.limit import raise_descriptor_limit
print(raise_descriptor_limit(wanted), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "expected"),
    [
        (
            256,
            8_000,
            4_000,
            [4_000, 4_000 + RESERVED_DESCRIPTORS, 8_000],
        ),  # raised as far as needed
        (8_000, 8_000, 1_000, [1_000, 8_000, 8_000]),  # never lowered
        (256, 5_000, 4_000, [5_000 - RESERVED_DESCRIPTORS, 5_000, 5_000]),
        (256, 1_024, 4_000, [512, 1_024, 1_024]),  # half of them, where there are few
    ],
)
def test_limit_is_raised_and_the_rest_is_said(
    soft: int, hard: int, wanted: int, expected: list[int]
) -> None:
    numbers = [str(soft), str(hard), str(wanted)]
    done = subprocess.run(
        [sys.executable, "-c", CODE, *numbers],
        cwd=REPOSITORY,
        capture_output=True,
        encoding="ascii",
        check=True,
    )
    assert [int(word) for word in done.stdout.split()] == expected


@pytest.mark.parametrize(("soft", "expected"), [(64, 4), (256, 8), (20_000, 8)])
def test_connections_of_a_turn_fit_into_the_reserve(soft: int, expected: int) -> None:
    code = f"""
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {soft}))
from service.server.connections.limit import max_accepted_per_turn
print(max_accepted_per_turn())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, check=True
    )
    assert int(done.stdout) == expected
