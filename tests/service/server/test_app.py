"""What the settings make of the models."""

from typing import NoReturn

import pytest

from service.models.loaded_model import RegistryOptions
from service.models.registry import Registry
from service.observability.metrics import Metrics
from service.scheduling.scheduler import EnginesElsewhere
from service.scheduling.workers.scaling import ScalingOptions
from service.server.app import create_app
from service.server.cpu_quota import available_cpus
from service.server.parts import open_registry, registry_options
from service.settings import load_settings
from tests.service.api.fakes import ask
from tests.service.tiny_models import TINY_BUNDLE


def options_of(**settings: int) -> RegistryOptions:
    registry = open_registry(load_settings({"bundles": (TINY_BUNDLE,), **settings}), Metrics())
    (model,) = registry.models
    assert model.sessions.num_threads == model.options.threads_per_worker
    return model.options


def test_a_worker_of_one_thread_for_every_cpu() -> None:
    options = options_of()
    assert (options.threads_per_worker, options.scheduler.num_workers) == (1, available_cpus())


def test_engine_processes_decode_unless_there_are_to_be_none() -> None:
    cpus = available_cpus()
    assert options_of().scheduler.num_engines == cpus
    assert options_of(workers=3).scheduler.num_engines == 3
    assert options_of(workers=3, engines=2).scheduler.num_engines == 2
    threads = options_of(workers=3, engines=0).scheduler
    assert (threads.num_engines, threads.num_batches) == (0, 3)


def test_a_worker_has_as_many_threads_as_it_is_told() -> None:
    assert options_of(threads_per_worker=2).threads_per_worker == 2


@pytest.mark.parametrize("threads", [2, 64])
def test_workers_of_several_threads_are_fewer(threads: int) -> None:
    options = registry_options(load_settings({"threads_per_worker": threads}))
    assert options.threads_per_worker == threads
    assert options.scheduler.num_workers == max(1, available_cpus() // threads)


def test_what_is_said_counts() -> None:
    options = options_of(workers=3, slots_per_worker=16, encoder_tokens_per_turn=99)
    scheduler = options.scheduler
    assert (scheduler.num_workers, scheduler.slots_per_worker) == (3, 16)
    assert scheduler.look_ahead.num_tokens_contested == 99


def test_head_is_answered_where_the_cluster_has_the_connections() -> None:
    def never(bundle: object) -> NoReturn:
        raise AssertionError

    elsewhere = EnginesElsewhere(create=never, scaling=ScalingOptions())
    app = create_app(load_settings({}), Registry(()), Metrics(), elsewhere)
    assert [ask(app, "HEAD", path).status_code for path in ("/livez", "/translate")] == [200, 405]
