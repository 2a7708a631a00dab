from collections.abc import Iterator
from dataclasses import replace

import pytest

from bundle.reader import Bundle
from service.engine.search.options import DecodeOptions
from service.models.canary import Canary
from service.scheduling.job import Job
from service.scheduling.limits import AdmissionLimits
from tests.service.tiny_models import FakeClock, Running, running

INTERVAL_S = 60.0


@pytest.fixture
def service() -> Iterator[Running]:
    limits = AdmissionLimits(max_queued_jobs=2)
    with running(is_started=False, limits=limits) as service:
        yield service


def canary_of(service: Running, clock: FakeClock, bundle: Bundle | None = None) -> Canary:
    return Canary(
        bundle or service.model.bundle,
        service.model.scheduler,
        service.metrics,
        interval_s=INTERVAL_S,
        clock=clock,
    )


def with_canary(bundle: Bundle, **changes: object) -> Bundle:
    canary = bundle.manifest.canary.model_copy(update=changes)
    return replace(bundle, manifest=bundle.manifest.model_copy(update={"canary": canary}))


def finished_jobs(service: Running) -> float:
    reasons = ("stop", "length", "repetition", "deadline")
    return sum(service.counted("finish_total", reason=reason) for reason in reasons)


def test_the_expected_translation_is_no_fault(service: Running) -> None:
    service.model.scheduler.start()
    canary = canary_of(service, FakeClock())
    assert "has not been translated yet" in str(canary.fault)
    canary.check()
    canary.wait(10)
    assert canary.fault is None
    assert service.counted("canary_failures_total") == 0


def test_another_translation_is_a_fault_and_is_counted(service: Running) -> None:
    service.model.scheduler.start()
    bundle = with_canary(service.model.bundle, target_ids=(5, 5, 5))
    canary = canary_of(service, FakeClock(), bundle)
    canary.check()
    canary.wait(10)
    assert canary.fault is not None
    assert "came out differently" in canary.fault
    assert service.counted("canary_failures_total") == 1


def test_it_is_repeated_when_the_last_one_is_old(service: Running) -> None:
    service.model.scheduler.start()
    clock = FakeClock()
    canary = canary_of(service, clock)
    for elapsed_s, expected in ((0.0, 1), (INTERVAL_S - 1, 1), (1.0, 2)):
        clock.now_s += elapsed_s
        canary.check()
        canary.wait(10)
        assert finished_jobs(service) == expected


def test_canaries_never_pile_up_behind_a_busy_worker(service: Running) -> None:
    clock = FakeClock()
    canary = canary_of(service, clock)
    for _ in range(5):
        canary.check()
        clock.now_s += 2 * INTERVAL_S
    assert service.counted("queue_depth") == 1


def test_a_full_queue_leaves_the_last_verdict(service: Running) -> None:
    scheduler = service.model.scheduler
    job = Job(source_ids=(3,), options=DecodeOptions())
    for _ in range(2):
        scheduler.submit(job)
    canary = canary_of(service, FakeClock())
    before = canary.fault
    canary.check()
    assert canary.fault == before
    assert service.counted("canary_failures_total") == 0


def test_shutting_down_is_no_failure(service: Running) -> None:
    canary = canary_of(service, FakeClock())
    canary.check()
    service.registry.close()
    canary.check()
    assert service.counted("canary_failures_total") == 0
