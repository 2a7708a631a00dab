"""One translator and one server of the tiny bundle for all tests of the library."""

from collections.abc import Iterator

import pytest

from pellucid import Client, Translator
from tests.service.server_process import serving
from tests.service.tiny_models import TINY_BUNDLE


@pytest.fixture(scope="package")
def translator() -> Iterator[Translator]:
    with Translator("en", "de", bundles=TINY_BUNDLE, threads=1) as running:
        yield running


@pytest.fixture(scope="package")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server."""
    with serving(tmp_path_factory.mktemp("server")) as server:
        yield server.url


@pytest.fixture(scope="package")
def client(url: str) -> Iterator[Client]:
    with Client(url, "en", "de") as connected:
        yield connected
