import gc
import shutil
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bundle.tensors import WEIGHTS_NAME
from service.errors import ReloadRefusedError, ShuttingDownError, UnsupportedLanguageError
from service.models.loaded_model import LoadedModel
from service.models.reload import Reload, Reloader
from service.scheduling.job import Job
from tests.service.engine.tiny import GREEDY
from tests.service.tiny_models import (
    TINY_BUNDLE,
    Running,
    altered_copy,
    leased,
    running,
    tiny_bundle,
)

PAIR = tiny_bundle().manifest.pairs[0]
CANARY = tiny_bundle().manifest.canary
JOB = Job(source_ids=(5, 6, 2), options=GREEDY)
LONGEST_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A service, and the folder that its bundles come from."""

    folder: Path
    service: Running
    reloader: Reloader

    @property
    def models(self) -> tuple[LoadedModel, ...]:
        return self.service.registry.models

    def reload(self) -> Reload:
        return self.reloader.request().result(LONGEST_S)

    def serving(self, source: str, target: str) -> LoadedModel:
        """The model that a new request would get."""
        with leased(self.service.registry, source, target) as (model, _):
            return model

    def refused(self) -> str:
        """What a reload is refused with."""
        with pytest.raises(ReloadRefusedError) as caught:
            self.reload()
        return str(caught.value)

    def replace(self, name: str = "newer") -> None:
        """Put another bundle in the place of the first."""
        shutil.rmtree(self.folder / "first")
        altered_copy(self.folder / "first", name=name)

    def counted(self, outcome: str) -> float:
        return self.service.counted("reloads_total", outcome=outcome)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with _open_site(tmp_path / "bundles") as opened:
        yield opened


@contextmanager
def _open_site(folder: Path) -> Iterator[Site]:
    shutil.copytree(TINY_BUNDLE, folder / "first")
    with running(folder=folder) as service:
        options = service.model.options
        reloader = Reloader(service.registry, [folder], options, service.metrics)
        try:
            yield Site(folder=folder, service=service, reloader=reloader)
        finally:
            reloader.close()


def _sha256_served(site: Site) -> set[str]:
    """By the metrics."""
    return {
        sample.labels["sha256"]
        for metric in site.service.metrics.registry.collect()
        if metric.name == "pellucid_model_info"
        for sample in metric.samples
    }


def _workers() -> int:
    return sum(thread.name.startswith("pellucid-engine") for thread in threading.enumerate())


def test_a_bundle_that_has_not_changed_is_kept(site: Site) -> None:
    (model,) = site.models
    result = site.reload()
    assert (result.added, result.kept, result.removed) == ((), (model,), ())
    assert site.models == (model,)
    assert site.counted("unchanged") == 1


def test_a_new_bundle_takes_the_place_of_the_old_one(site: Site) -> None:
    (old,) = site.models
    site.replace()
    result = site.reload()
    (new,) = site.models
    assert (result.added, result.kept, result.removed) == ((new,), (), (old,))
    assert site.serving(PAIR.source, PAIR.target) is new
    assert new.fault is None
    assert _sha256_served(site) == {new.bundle.sha256} != {old.bundle.sha256}
    assert site.counted("swapped") == 1


def test_a_request_ends_with_the_bundle_that_it_began_with(site: Site) -> None:
    registry = site.service.registry
    with leased(registry, PAIR.source, PAIR.target) as (old, _):
        site.replace()
        site.reload()
        assert site.serving(PAIR.source, PAIR.target) is not old
        assert registry.running_models == (*site.models, old)
        assert old.scheduler.submit(JOB).result(LONGEST_S).hypotheses
    site.reload()  # begins when the old one has been closed
    assert registry.running_models == site.models
    with pytest.raises(ShuttingDownError):
        old.scheduler.submit(JOB)


def test_replaced_models_leave_nothing_behind(site: Site) -> None:
    workers = _workers()
    old = weakref.ref(site.models[0].scheduler)
    for n in range(3):
        site.replace(f"newer-{n}")
        site.reload()
    site.reload()
    assert _workers() == workers
    gc.collect()
    assert old() is None


def test_a_bad_bundle_is_refused_with_its_faults_and_the_old_one_goes_on(site: Site) -> None:
    (old,) = site.models
    site.replace()
    (site.folder / "first" / WEIGHTS_NAME).write_bytes(b"cut short")
    reason = site.refused()
    assert "everything goes on as it was" in reason
    assert f"{WEIGHTS_NAME}: 9 bytes" in reason
    assert site.models == (old,)
    assert old.scheduler.submit(JOB).result(LONGEST_S).hypotheses
    assert site.counted("refused") == 1


def test_a_bundle_that_translates_its_canary_otherwise_is_refused(site: Site) -> None:
    (old,) = site.models
    workers = _workers()
    shutil.rmtree(site.folder / "first")
    odd = CANARY.model_copy(update={"target_ids": (5, 5)})
    altered_copy(site.folder / "first", canary=odd.model_dump(mode="json"))
    assert "came out differently" in site.refused()
    assert site.models == (old,)
    assert _workers() == workers


def test_a_folder_that_is_being_moved_stops_nothing(site: Site) -> None:
    (old,) = site.models
    (site.folder / "first").rename(site.folder.parent / "away")
    assert "no bundle in it" in site.refused()
    (site.folder.parent / "away").rename(site.folder / "first")
    assert site.reload().kept == (old,)


def test_bundles_come_and_go(site: Site) -> None:
    (first,) = site.models
    pairs = [{"source": "yy", "target": "zz"}]
    canary = CANARY.model_dump(mode="json") | {"pair": pairs[0]}
    altered_copy(site.folder / "second", name="second", pairs=pairs, canary=canary)
    (second,) = site.reload().added
    assert site.serving("yy", "zz") is second
    assert site.models == (first, second)
    shutil.rmtree(site.folder / "second")
    assert site.reload().removed == (second,)
    with pytest.raises(UnsupportedLanguageError):
        site.serving("yy", "zz")


def test_all_or_nothing(site: Site) -> None:
    (old,) = site.models
    site.replace()
    shutil.copytree(site.folder / "first", site.folder / "twin")
    assert "is translated by both" in site.refused()
    assert site.models == (old,)


def test_a_second_bundle_for_a_served_pair_is_refused(site: Site) -> None:
    shutil.copytree(TINY_BUNDLE, site.folder / "twin")
    assert "is translated by both" in site.refused()


def test_reloads_run_one_at_a_time_and_waiting_requests_share_the_next(site: Site) -> None:
    with leased(site.service.registry, PAIR.source, PAIR.target):
        site.replace()
        site.reload()  # the old one is still in use
        waiting = site.reloader.request()
        assert site.reloader.request() is waiting
        assert not waiting.done()
    assert waiting.result(LONGEST_S).outcome == "unchanged"
    assert site.reloader.request() is not waiting


def test_closing_answers_waiting_requests_and_ends_a_running_reload(site: Site) -> None:
    workers = _workers()
    with leased(site.service.registry, PAIR.source, PAIR.target):
        site.replace()
        site.reload()
        waiting = site.reloader.request()
        site.reloader.close()
        with pytest.raises(ShuttingDownError):
            waiting.result(LONGEST_S)
        with pytest.raises(ShuttingDownError):
            site.reloader.request()
        site.service.registry.close()
    assert _workers() == workers - 1


def test_a_reloader_may_refuse_everything(site: Site) -> None:
    (before,) = site.models
    options, metrics = before.options, site.service.metrics
    reason = "deploy it with the new bundles"
    reloader = Reloader(site.service.registry, [site.folder], options, metrics, refusal=reason)
    try:
        with pytest.raises(ReloadRefusedError, match=reason):
            reloader.request().result(LONGEST_S)
    finally:
        reloader.close()
    assert site.models == (before,)
    assert site.service.counted("reloads_total", outcome="refused") == 1


def test_a_closed_registry_takes_no_new_models(site: Site) -> None:
    workers = _workers()
    site.service.registry.close()
    site.replace()
    with pytest.raises(ShuttingDownError):
        site.reload()
    assert _workers() == workers - 1


def test_a_replacement_is_atomic(site: Site) -> None:
    """Of every lease, the model translates the pair, and takes jobs."""
    ended = threading.Event()
    seen: list[str] = []
    faults: list[BaseException] = []

    def ask() -> None:
        try:
            while not ended.is_set():
                with leased(site.service.registry, PAIR.source, PAIR.target) as (model, _):
                    model.scheduler.submit(JOB).result(LONGEST_S)
                    seen.append(model.name)
        except BaseException as error:  # noqa: BLE001 - shown below
            faults.append(error)

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for thread in asking:
        thread.start()
    for n in range(5):
        site.replace(f"newer-{n}")
        site.reload()
    ended.set()
    for thread in asking:
        thread.join(LONGEST_S)
    assert faults == []
    assert len(set(seen)) > 1
