from collections.abc import Callable

import pytest

from service.scheduling.limits import INTERNAL_CLIENT, MAX_SHORT_SENTENCES, Client, Request
from service.scheduling.queue import RECENTLY_S, ActiveRequests
from tests.service.scheduling.queue_counter import ANNA, BERT, WIDE, Counter
from tests.service.scheduling.remembered_clients import remembered_requests
from tests.service.tiny_models import FakeClock


def short() -> Request:
    return Request(num_sentences=MAX_SHORT_SENTENCES)


def long() -> Request:
    return Request(num_sentences=MAX_SHORT_SENTENCES + 1)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def requests(clock: FakeClock) -> ActiveRequests:
    return ActiveRequests(clock)


def test_requests_are_compared_by_identity() -> None:
    assert short() != short()
    assert len({short(), short()}) == 2


@pytest.mark.parametrize("kind", [short, long])
def test_requests_of_one_kind_do_not_meet(
    requests: ActiveRequests, kind: Callable[[], Request]
) -> None:
    for _ in range(9):
        requests.add(("anna", kind()))
    assert not requests.have_met


def test_a_request_that_follows_another_does_not_meet_it(requests: ActiveRequests) -> None:
    for request in (long(), short(), long()):
        requests.add(("anna", request))
        assert not requests.have_met
        requests.remove(("anna", request))
    assert not requests.have_met


@pytest.mark.parametrize("name", ["anna", "bert"])
def test_a_short_and_a_long_one_meet_until_one_has_ended_for_a_while(
    requests: ActiveRequests, clock: FakeClock, name: str
) -> None:
    batch, single = ("anna", long()), (name, short())
    for flow in (batch, batch, single):
        requests.add(flow)
    clock.now_s += 60
    assert requests.have_met, "both still run"
    requests.remove(batch)
    clock.now_s += 60
    assert requests.have_met, "another sentence of it does"
    requests.remove(single)
    clock.now_s += RECENTLY_S
    assert requests.have_met, "people pause"
    clock.now_s += 0.1
    assert not requests.have_met


def test_requests_of_the_service_itself_meet_none(requests: ActiveRequests) -> None:
    own = (INTERNAL_CLIENT.name, short())
    requests.add(("anna", long()))
    requests.add(own)
    assert not requests.have_met
    requests.remove(own)
    assert not requests.have_met


def test_a_queue_is_contested_where_a_short_request_meets_a_long_one_of_its_client() -> None:
    counter = Counter(limits=WIDE)
    batch, single = long(), short()
    waiting = [counter.submit(client=ANNA, request=batch) for _ in range(5)]
    assert not counter.queue.is_contested
    typed = counter.submit(client=ANNA, request=single)
    contention = counter.queue.contention
    assert (contention.of_clients, contention.of_requests) == (False, True)
    assert counter.queue.is_contested
    typed.cancel()
    counter.clock.now_s += 2 * RECENTLY_S
    assert not counter.queue.is_contested
    assert all(future.cancel() for future in waiting)
    assert remembered_requests(counter.queue) == set()


def test_short_requests_of_two_clients_contest_clients_only() -> None:
    counter = Counter(limits=WIDE)
    counter.submit(client=ANNA, request=short())
    counter.submit(client=BERT, request=short())
    contention = counter.queue.contention
    assert (contention.of_clients, contention.of_requests) == (True, False)


def test_ten_thousand_requests_leave_nothing_behind() -> None:
    counter = Counter(limits=WIDE)
    for number in range(10_000):
        request = Request(num_sentences=1 + number % 9)
        counter.submit(client=Client(name=f"{number % 7}"), request=request)
        counter.serve()
    assert remembered_requests(counter.queue) == set()
