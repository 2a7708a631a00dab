from collections.abc import Iterator

import pytest

from tests.service.tiny_models import Running, running


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    with running() as service:
        yield service
