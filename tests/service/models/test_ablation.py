"""Models without heads are lent one at a time."""

import asyncio
from collections.abc import Iterator

import pytest

from service.engine.ablation import Heads, bundle_without, canonical
from service.engine.graphs.sessions import open_sessions
from service.engine.offline import decode_batch
from service.engine.search.options import DecodeOptions
from service.errors import DeadlineExceededError, ShuttingDownError
from service.models.ablation import AblatedModels
from service.models.loaded_model import LoadedModel, RegistryOptions
from service.models.registry import Registry
from service.observability.metrics import Metrics
from service.scheduling.job import Job, JobResult
from service.scheduling.scheduler import SchedulerOptions
from tests.service.engine.tiny import GREEDY, alone, tiny, tiny_sources
from tests.service.tiny_models import TINY_BUNDLE, Running, running
from tests.service.waiting import eventually

ONE, OTHER = canonical([("cross", 0, 0)]), canonical([("cross", 1, 1)])


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    with running() as service:
        yield service


@pytest.fixture
def ablated(service: Running) -> Iterator[AblatedModels]:
    models = AblatedModels(service.metrics)
    yield models
    models.close()


def takes_work(model: LoadedModel) -> bool:
    options = DecodeOptions(max_target_tokens=1)
    try:
        model.scheduler.submit(Job(source_ids=(5, 3), options=options)).result(60)
    except ShuttingDownError:
        return False
    return True


def test_without_heads_to_leave_out_the_model_itself_is_lent(
    service: Running, ablated: AblatedModels
) -> None:
    async def scenario() -> None:
        async with ablated.lease(service.model, ()) as found:
            assert found is service.model

    asyncio.run(scenario())


def test_requests_for_equal_heads_share_a_model(service: Running, ablated: AblatedModels) -> None:
    async def scenario() -> None:
        async with (
            ablated.lease(service.model, ONE) as first,
            ablated.lease(service.model, ONE) as second,
        ):
            assert first is second is not service.model
        async with ablated.lease(service.model, ONE) as third:
            assert third is first

    asyncio.run(scenario())


def test_requests_for_other_heads_wait_in_order(service: Running, ablated: AblatedModels) -> None:
    async def scenario() -> None:
        seen: list[Heads] = []
        models: set[LoadedModel] = set()

        async def use(heads: Heads) -> None:
            async with ablated.lease(service.model, heads) as model:
                seen.append(heads)
                models.add(model)
                assert model.scheduler.num_engines == 1

        async with ablated.lease(service.model, ONE) as first:
            waiting = [asyncio.create_task(use(heads)) for heads in (OTHER, ONE)]
            await asyncio.sleep(0)
            with pytest.raises(DeadlineExceededError):
                async with ablated.lease(service.model, OTHER, timeout_s=0.01):
                    pass
            assert not seen  # the second asks for what is there, and yet does not overtake
        await asyncio.gather(*waiting)
        assert seen == [OTHER, ONE]
        assert first not in models
        assert len(models) == 2

    asyncio.run(scenario())


def test_a_model_that_is_not_used_any_more_is_stopped(service: Running) -> None:
    async def scenario() -> None:
        ablated = AblatedModels(service.metrics, kept_s=0.0)
        async with ablated.lease(service.model, ONE) as first:
            assert takes_work(first)
        await asyncio.to_thread(eventually, lambda: not takes_work(first), 20.0)
        async with ablated.lease(service.model, ONE) as second:
            assert second is not first
        ablated.close()

    asyncio.run(scenario())


def test_a_cancelled_start_leaves_no_model(service: Running, ablated: AblatedModels) -> None:
    async def scenario() -> None:
        async def use() -> None:
            async with ablated.lease(service.model, ONE):
                raise AssertionError("it was cancelled before")

        task = asyncio.create_task(use())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with ablated.lease(service.model, OTHER) as found:
            assert takes_work(found)

    asyncio.run(scenario())


def test_an_engine_process_decodes_without_the_heads() -> None:
    """The child reads the changed weights from sealed memory."""
    metrics = Metrics()
    options = RegistryOptions(scheduler=SchedulerOptions(num_engines=1, slots_per_worker=8))
    registry = Registry.open([TINY_BUNDLE], options, metrics)
    ablated = AblatedModels(metrics)
    job = Job(source_ids=tiny_sources()[0], options=GREEDY)

    async def scenario() -> JobResult:
        registry.start()
        async with ablated.lease(registry.models[0], ONE) as model:
            return await model.scheduler.run(job)

    try:
        found = asyncio.run(scenario())
    finally:
        ablated.close()
        registry.close()
    sessions = open_sessions(bundle_without(tiny(), ONE))
    (expected,) = decode_batch(sessions, [job.source_ids], GREEDY)
    assert found.hypotheses == expected
    assert found.hypotheses != alone(tiny_sources()[0], GREEDY)
