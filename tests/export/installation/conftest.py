import importlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundle.folders import installed_folder
from tests.export.importers.firefox.firefox_models import save_model
from tests.export.installation.mirror import Mirror, put_firefox, put_records, serving_mirror


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Mirror]:
    """A server on loopback, where all sources have their index; nothing else can be reached."""
    for name in os.environ:
        if name.lower().endswith("_proxy") or name.startswith("PELLUCID_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")  # which the command would set, and leave
    with serving_mirror() as server:
        records = "/v1/buckets/main/collections/translations-models-v2/records"
        monkeypatch.setenv("PELLUCID_INSTALL_FIREFOX_INDEX", server.url + records)
        monkeypatch.setenv("PELLUCID_INSTALL_ARGOS_INDEX", f"{server.url}/argos/index.json")
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("PELLUCID_INSTALL_TIMEOUT_S", "5")
        server.put("/argos/index.json", [])
        put_records(server, [])
        yield server


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student of Firefox with random weights, from English to German."""
    return save_model(tmp_path_factory.mktemp("models") / "ende", enc_depth=1, dec_depth=1)


@pytest.fixture
def listed(mirror: Mirror, small_model: Path) -> Mirror:
    """The mirror with the small model in the index."""
    put_firefox(mirror, small_model, "en-de")
    return mirror


@pytest.fixture
def folder(mirror: Mirror) -> Path:
    """Where bundles are installed."""
    return installed_folder()


@pytest.fixture
def hub(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    """The mirror, where the hub's client is installed and goes online, whatever it was told."""
    pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    # Sessions are kept, and those of a test without a network refuse all.
    importlib.import_module("huggingface_hub.utils._http").reset_sessions()
    return mirror
