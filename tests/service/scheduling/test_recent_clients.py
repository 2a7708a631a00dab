from service.scheduling.limits import INTERNAL_CLIENT, Client
from service.scheduling.queue import RECENTLY_S, RecentClients


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_one_client_is_alone_however_often_it_asks() -> None:
    clients = RecentClients(Clock())
    for _ in range(3):
        clients.add(Client(name="a"))
    assert not clients.has_several


def test_two_active_clients_are_several_until_one_is_silent() -> None:
    clock = Clock()
    clients = RecentClients(clock)
    clients.add(Client(name="a"))
    clock.now_s = RECENTLY_S / 2
    clients.add(Client(name="b"))
    assert clients.has_several
    clock.now_s = RECENTLY_S * 1.1
    assert not clients.has_several
    clients.add(Client(name="a"))
    assert clients.has_several


def test_internal_jobs_count_as_no_client() -> None:
    clients = RecentClients(Clock())
    clients.add(Client(name="a"))
    clients.add(INTERNAL_CLIENT)
    assert not clients.has_several


def test_ten_thousand_clients_leave_nothing_behind() -> None:
    clock = Clock()
    clients = RecentClients(clock)
    for number in range(10_000):
        clock.now_s += RECENTLY_S / 10
        clients.add(Client(name=str(number)))
        assert len(clients._last_request_s) <= 11
