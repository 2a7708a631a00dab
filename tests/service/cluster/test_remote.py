import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest

from service.cluster.engine import Engine
from service.cluster.remote import MAX_ATTEMPTS, RemoteEngine
from service.errors import (
    DeadlineExceededError,
    NotReadyError,
    OverloadedError,
    UnsupportedLanguageError,
)
from service.inspection.values import AttentionRequest, ScoreRequest
from service.observability.logs import REQUEST_ID, TRACE_ID
from service.observability.metrics import Metrics
from service.settings import Settings
from service.translation.values import TranslateRequest
from tests.service.cluster.transports import PickledTransport, SilentTransport, tiny_engine
from tests.service.scheduling.workers.single_loop import counted

REQUEST = TranslateRequest(
    texts=("Anna reads. Ben sings. Anna sees a house.",), source="en", target="de"
)
SENTENCES = TranslateRequest(texts=("Anna reads. " * 40,), source="en", target="de")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = tiny_engine()
    yield engine
    engine.close()


async def texts_of(remote: RemoteEngine, request: TranslateRequest) -> list[str]:
    return [translation.text for translation in (await remote.translate(request)).translations]


def test_what_is_asked_elsewhere_is_what_is_asked_here(engine: Engine) -> None:
    remote = RemoteEngine(PickledTransport(engine=engine), Metrics())
    here = asyncio.run(engine._translator.translate(REQUEST))
    there = asyncio.run(remote.translate(REQUEST))
    assert there.translations == here.translations
    assert there.times.decode > 0


def test_attention_maps_and_scores_come_whole(engine: Engine) -> None:
    remote = RemoteEngine(PickledTransport(engine=engine), Metrics())
    given = AttentionRequest(
        texts=("Anna reads.",), source="en", target="de", translations=("Anna liest.",)
    )
    (pair,) = asyncio.run(remote.attention(given))
    assert pair.sentences[0].attention.maps["cross"].ndim == 4
    pairs = ScoreRequest(pairs=(("Anna reads.", "Anna liest."),), source="en", target="de")
    (scored,) = asyncio.run(remote.score(pairs))
    assert scored.log_prob < 0


def test_what_an_engine_refuses_is_refused_here_with_all_it_says(engine: Engine) -> None:
    remote = RemoteEngine(PickledTransport(engine=engine), Metrics())
    with pytest.raises(UnsupportedLanguageError, match="xx is not supported"):
        asyncio.run(remote.translate(replace(REQUEST, source="xx")))


def test_a_full_queue_says_when_to_come_back() -> None:
    engine = tiny_engine(Settings(workers=1, max_queued_jobs=1))
    remote = RemoteEngine(PickledTransport(engine=engine), Metrics())

    async def crowd() -> list[object]:
        asked = [
            remote.translate(replace(REQUEST, texts=(f"Anna reads {i}. Ben sings {i}.",)))
            for i in range(40)
        ]
        return list(await asyncio.gather(*asked, return_exceptions=True))

    try:
        refused = [answer for answer in asyncio.run(crowd()) if isinstance(answer, OverloadedError)]
    finally:
        engine.close()
    assert refused
    assert all(1 <= error.retry_after_s <= 60 for error in refused)


def test_an_engine_that_is_lost_is_replaced_by_another(engine: Engine) -> None:
    transport = PickledTransport(engine=engine)
    wanted = asyncio.run(texts_of(RemoteEngine(transport, Metrics()), REQUEST))
    transport.num_losses = MAX_ATTEMPTS - 1
    metrics = Metrics()
    assert asyncio.run(texts_of(RemoteEngine(transport, metrics), REQUEST)) == wanted
    assert counted(metrics, "lost_calls_total") == MAX_ATTEMPTS - 1


def test_a_request_that_loses_every_engine_is_given_up(engine: Engine) -> None:
    transport = PickledTransport(engine=engine, num_losses=100)
    with pytest.raises(NotReadyError, match="send it again"):
        asyncio.run(RemoteEngine(transport, Metrics()).translate(REQUEST))
    assert len(transport.calls) == MAX_ATTEMPTS


def test_a_stream_goes_on_where_the_lost_engine_was(engine: Engine) -> None:
    transport = PickledTransport(engine=engine)

    async def parts() -> list[str]:
        return [part.text async for part in RemoteEngine(transport, Metrics()).stream(SENTENCES)]

    whole = asyncio.run(parts())
    transport.num_losses, transport.num_parts_before_loss = 2, 17
    assert asyncio.run(parts()) == whole
    assert transport.num_losses == 0


def test_a_stream_that_is_refused_raises_before_its_first_part(engine: Engine) -> None:
    remote = RemoteEngine(PickledTransport(engine=engine), Metrics())

    async def first() -> None:
        await anext(aiter(remote.stream(replace(REQUEST, source="xx"))))

    with pytest.raises(UnsupportedLanguageError):
        asyncio.run(first())


def test_the_next_engine_gets_the_time_that_is_left(engine: Engine) -> None:
    moments = itertools.count(step=4)
    transport = PickledTransport(engine=engine, num_losses=1)
    remote = RemoteEngine(transport, Metrics(), lambda: next(moments))
    asyncio.run(remote.translate(replace(REQUEST, timeout_s=30)))
    assert [envelope.request.timeout_s for _, envelope in transport.calls] == [26, 22]


@pytest.mark.parametrize("is_stream", [False, True])
def test_nobody_waits_beyond_the_deadline_for_an_engine_that_is_silent(is_stream: bool) -> None:
    transport = SilentTransport()
    remote, request = RemoteEngine(transport, Metrics()), replace(REQUEST, timeout_s=0.001)

    async def ask() -> None:
        if is_stream:
            await anext(aiter(remote.stream(request)))
        else:
            await remote.translate(request)

    with pytest.raises(DeadlineExceededError):
        asyncio.run(ask())
    assert transport.num_cancelled == 1


def test_a_client_that_leaves_cancels_its_call() -> None:
    transport = SilentTransport()

    async def leave() -> None:
        asking = asyncio.create_task(RemoteEngine(transport, Metrics()).translate(REQUEST))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    asyncio.run(leave())
    assert transport.num_cancelled == 1


def test_an_engine_logs_with_the_ids_of_the_request(engine: Engine) -> None:
    transport = PickledTransport(engine=engine)

    async def ask() -> None:
        REQUEST_ID.set("r1")
        TRACE_ID.set("t1")
        await RemoteEngine(transport, Metrics()).translate(REQUEST)

    asyncio.run(ask())
    ((_, envelope),) = transport.calls
    assert (envelope.request_id, envelope.trace_id) == ("r1", "t1")
