from service.scheduling.limits import NOBODY, Client
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
    assert not clients.are_several


def test_two_who_ask_are_several_until_one_has_been_silent() -> None:
    clock = Clock()
    clients = RecentClients(clock)
    clients.add(Client(name="a"))
    clock.now_s = RECENTLY_S / 2
    clients.add(Client(name="b"))
    assert clients.are_several
    clock.now_s = RECENTLY_S * 1.1
    assert not clients.are_several
    clients.add(Client(name="a"))
    assert clients.are_several


def test_own_work_of_the_service_is_no_client() -> None:
    clients = RecentClients(Clock())
    clients.add(Client(name="a"))
    clients.add(NOBODY)
    assert not clients.are_several


def test_ten_thousand_clients_leave_nothing_behind() -> None:
    clock = Clock()
    clients = RecentClients(clock)
    for number in range(10_000):
        clock.now_s += RECENTLY_S / 10
        clients.add(Client(name=str(number)))
        assert len(clients._asked_s) <= 11
