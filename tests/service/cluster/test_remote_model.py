import asyncio

from service.cluster.remote import PROBE_INTERVAL_S, LostEngineError, RemoteEngine, RemoteModel
from service.observability.metrics import Metrics
from tests.service.cluster.transports import SilentTransport
from tests.service.tiny_models import FakeClock, tiny_bundle


class Answers(SilentTransport):
    """Each probe is given the next one."""

    def __init__(self, *answers: str | Exception | None) -> None:
        super().__init__()
        self.answers = list(answers)

    async def ask(self, method: str, *arguments: object) -> object:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def model_of(transport: SilentTransport, clock: FakeClock) -> RemoteModel:
    return RemoteModel(tiny_bundle(), RemoteEngine(transport, Metrics()), clock)


def test_a_model_is_not_ready_before_an_engine_has_answered() -> None:
    assert model_of(Answers(), FakeClock()).fault == "no engine has answered yet"


def test_the_last_verdict_stands_while_it_is_fresh() -> None:
    clock, transport = FakeClock(), Answers(None, "no heart-beat")
    model = model_of(transport, clock)

    async def check() -> str | None:
        model.check()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return model.fault

    async def checks() -> list[str | None]:
        found = [await check(), await check()]
        clock.now_s += PROBE_INTERVAL_S
        return [*found, await check()]

    assert asyncio.run(checks()) == [None, None, "no heart-beat"]


def test_an_engine_that_is_lost_with_a_probe_changes_no_verdict() -> None:
    model = model_of(Answers(None, LostEngineError("gone")), FakeClock())

    async def probe_twice() -> None:
        await model.probe()
        await model.probe()

    asyncio.run(probe_twice())
    assert model.fault is None


def test_silence_is_a_fault() -> None:
    transport = SilentTransport()
    model = RemoteModel(
        tiny_bundle(), RemoteEngine(transport, Metrics()), FakeClock(), timeout_s=0.001
    )
    asyncio.run(model.probe())
    assert model.fault == "no engine has answered within 0.001 s"
