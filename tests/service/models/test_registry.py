import asyncio
import json
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bundle.manifest import MANIFEST_NAME
from bundle.tensors import DECODER_NAME, WEIGHTS_NAME
from service.engine.search.options import DecodeOptions
from service.errors import ShuttingDownError, StartupError, UnsupportedLanguageError
from service.models.loaded_model import ReferenceCount, RegistryOptions
from service.models.registry import Registry
from service.observability.metrics import Metrics
from service.scheduling.job import Job
from service.scheduling.scheduler import SchedulerOptions
from tests.service.tiny_models import (
    TINY_BUNDLE,
    FakeClock,
    altered_copy,
    leased,
    renamed_copy,
    running,
    tiny_bundle,
)

PAIR = tiny_bundle().manifest.pairs[0]
OPTIONS = RegistryOptions(scheduler=SchedulerOptions(slots_per_worker=8), heartbeat_timeout_s=5.0)


def open_registry(*paths: Path, clock: FakeClock | None = None) -> Registry:
    return Registry.open(paths, OPTIONS, Metrics(), clock or FakeClock())


def other_direction(folder: Path) -> Path:
    """A copy that translates the other way round."""
    pair = {"source": PAIR.target, "target": PAIR.source}
    canary = json.loads((TINY_BUNDLE / MANIFEST_NAME).read_bytes())["canary"] | {"pair": pair}
    return altered_copy(folder, name="other", pairs=[pair], canary=canary)


def test_a_folder_that_the_system_refuses_is_a_fault_and_no_crash(tmp_path: Path) -> None:
    refused = tmp_path / ("x" * 300)
    with pytest.raises(StartupError, match="cannot be read: File name too long"):
        open_registry(refused)


def test_a_path_is_a_bundle_or_a_folder_of_bundles(tmp_path: Path) -> None:
    shutil.copytree(TINY_BUNDLE, tmp_path / "first")
    other_direction(tmp_path / "second")
    (tmp_path / "lost+found").mkdir()
    registry = open_registry(tmp_path)
    assert [m.bundle.path.name for m in registry.models] == ["first", "second"]
    assert len(open_registry(tmp_path / "first", tmp_path / "second").models) == 2
    assert len(open_registry(tmp_path / "first", tmp_path).models) == 2


def test_the_pair_decides_which_model_translates(tmp_path: Path) -> None:
    registry = open_registry(TINY_BUNDLE, other_direction(tmp_path / "other"))
    with leased(registry, PAIR.target.upper(), PAIR.source.upper()) as (model, pair):
        assert (model.name, pair.source, pair.target) == ("other", PAIR.target, PAIR.source)
    with leased(registry, PAIR.source, PAIR.target) as (model, _):
        assert model is registry.models[0]


def test_an_installed_bundle_translates_before_the_embedded_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = shutil.copytree(TINY_BUNDLE, tmp_path / "data" / "en-de")
    embedded = altered_copy(tmp_path / "bundles" / "embedded", name="embedded")
    monkeypatch.setattr("bundle.folders._EMBEDDED", embedded.parent)
    registry = open_registry(installed.parent, embedded.parent)
    with leased(registry, PAIR.source, PAIR.target) as (model, _):
        assert model.bundle.path == installed


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("xx", PAIR.target, "^xx is not supported: this server translates from "),
        (PAIR.source, "yy", "^yy is not supported: this server translates from "),
        ("auto", "yy", "^yy is not supported: this server translates to "),
        ("auto", PAIR.target, f"^auto is not supported here.*one of {PAIR.source}$"),
    ],
)
def test_the_unsupported_language_is_named(source: str, target: str, message: str) -> None:
    registry = open_registry(TINY_BUNDLE)
    with (
        pytest.raises(UnsupportedLanguageError, match=message),
        leased(registry, source, target),
    ):
        pass


def test_all_faults_of_all_bundles_are_reported_at_once(tmp_path: Path) -> None:
    broken = tmp_path / "bundles" / "broken"
    shutil.copytree(TINY_BUNDLE, broken)
    (broken / WEIGHTS_NAME).write_bytes(b"")
    (broken / DECODER_NAME).unlink()
    old = altered_copy(tmp_path / "bundles" / "old", format_version=0)
    (tmp_path / "empty").mkdir()
    missing = tmp_path / "missing"
    with pytest.raises(StartupError) as caught:
        open_registry(tmp_path / "bundles", tmp_path / "empty", missing)
    message = str(caught.value)
    assert "\n" not in message
    for expected in (
        f"{broken}",
        f"{WEIGHTS_NAME}: 0 bytes",
        f"{DECODER_NAME}: No such file",
        f"{old}",
        "format_version",
        f"{tmp_path / 'empty'}: no bundle in it",
        f"{missing}: there is no such folder",
    ):
        assert expected in message


def test_two_bundles_may_not_translate_the_same_pair(tmp_path: Path) -> None:
    twin = shutil.copytree(TINY_BUNDLE, tmp_path / "twin")
    with pytest.raises(StartupError, match="is translated by both") as caught:
        open_registry(TINY_BUNDLE, twin)
    assert str(TINY_BUNDLE) in str(caught.value)
    assert str(twin) in str(caught.value)


def test_a_setting_that_cannot_work_is_refused() -> None:
    options = RegistryOptions(scheduler=SchedulerOptions(slots_per_worker=1))
    with pytest.raises(StartupError, match="slots_per_worker is 1"):
        Registry.open([TINY_BUNDLE], options, Metrics())


def test_a_started_registry_is_ready_and_a_closed_one_is_not() -> None:
    with running() as service:
        registry = service.registry
        assert registry.unready_reason() is None
        registry.close()
        assert registry.unready_reason() == "the service is shutting down"
        with pytest.raises(ShuttingDownError):
            service.model.scheduler.submit(Job(source_ids=(3,), options=DecodeOptions()))


def test_a_registry_that_was_not_started_is_not_ready() -> None:
    reason = open_registry(TINY_BUNDLE).unready_reason()
    assert reason is not None
    assert "has not been translated yet" in reason


def test_a_silent_worker_makes_the_service_unready() -> None:
    clock = FakeClock()
    registry = open_registry(TINY_BUNDLE, clock=clock)
    clock.now_s += OPTIONS.heartbeat_timeout_s + 1
    reason = registry.unready_reason()
    assert reason is not None
    assert "no heart-beat for 5 s" in reason


def test_a_canary_that_differs_makes_the_service_unready(tmp_path: Path) -> None:
    canary = json.loads((TINY_BUNDLE / MANIFEST_NAME).read_bytes())["canary"]
    folder = altered_copy(tmp_path / "bundle", canary=canary | {"target_ids": [5, 5]})
    with running(folder=folder) as service:
        reason = service.registry.unready_reason()
    assert reason is not None
    assert "came out differently" in reason


def test_every_model_is_announced() -> None:
    with running(is_started=False) as service:
        manifest = service.model.bundle.manifest
        labels = {
            "name": manifest.name,
            "pairs": ",".join(map(str, manifest.pairs)),
            "precision": manifest.precision,
            "sha256": service.model.bundle.sha256,
        }
        assert service.counted("model_info", **labels) == 1


class _Outrun(ReferenceCount):
    """The count of a model that is replaced at the moment of its first use."""

    def __init__(self, replace: Callable[[], object]) -> None:
        super().__init__()
        self._replace = replace

    def acquire(self) -> bool:
        self._replace()
        return False


def test_two_models_are_leased_together_or_not_at_all(tmp_path: Path) -> None:
    registry = open_registry(TINY_BUNDLE, renamed_copy(tmp_path / "de-fr", "de", "fr"))
    first, second = registry.models
    outrun = replace(second, references=_Outrun(lambda: registry.replace([first, second])))
    registry.replace([first, outrun])
    ending = threading.Thread(target=first.references.wait_until_unused)

    async def end_while_leased() -> None:
        async with registry.lease_routes([("en", "fr")]) as (route,):
            assert [model for model, _ in route] == [first, second]
            ending.start()
            ending.join(0.05)
            assert ending.is_alive()

    asyncio.run(end_while_leased())
    ending.join(20)
    assert not ending.is_alive()
