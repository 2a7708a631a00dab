import threading

from service.models.loaded_model import Leases


def _ending(leases: Leases) -> threading.Thread:
    """A thread that waits for the last user."""
    thread = threading.Thread(target=leases.end)
    thread.start()
    return thread


def test_nobody_holds_up_the_end_of_what_nobody_uses() -> None:
    leases = Leases()
    assert leases.take()
    leases.give_back()
    leases.end()
    assert not leases.take()


def test_the_end_waits_for_the_last_user() -> None:
    leases = Leases()
    for _ in range(2):
        assert leases.take()
    ending = _ending(leases)
    leases.give_back()
    ending.join(0.05)
    assert ending.is_alive()
    leases.give_back()
    ending.join(20)
    assert not ending.is_alive()


def test_closing_waits_for_nobody() -> None:
    leases = Leases()
    leases.take()
    ending = _ending(leases)
    leases.close()
    ending.join(20)
    assert not ending.is_alive()


def test_many_threads_leave_no_user_behind() -> None:
    leases = Leases()

    def use() -> None:
        while leases.take():
            leases.give_back()

    users = [threading.Thread(target=use) for _ in range(8)]
    for user in users:
        user.start()
    leases.end()
    for user in users:
        user.join(20)
    assert not any(user.is_alive() for user in users)
