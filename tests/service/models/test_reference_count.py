import threading

from service.models.loaded_model import ReferenceCount


def _ending(references: ReferenceCount) -> threading.Thread:
    """A thread that waits for the last user."""
    thread = threading.Thread(target=references.wait_until_unused)
    thread.start()
    return thread


def test_an_unused_model_is_retired_at_once() -> None:
    references = ReferenceCount()
    assert references.acquire()
    references.release()
    references.wait_until_unused()
    assert not references.acquire()


def test_retiring_waits_for_the_last_user() -> None:
    references = ReferenceCount()
    for _ in range(2):
        assert references.acquire()
    ending = _ending(references)
    references.release()
    ending.join(0.05)
    assert ending.is_alive()
    references.release()
    ending.join(20)
    assert not ending.is_alive()


def test_closing_does_not_wait_for_users() -> None:
    references = ReferenceCount()
    references.acquire()
    ending = _ending(references)
    references.close()
    ending.join(20)
    assert not ending.is_alive()


def test_many_threads_leave_no_user_behind() -> None:
    references = ReferenceCount()

    def use() -> None:
        while references.acquire():
            references.release()

    users = [threading.Thread(target=use) for _ in range(8)]
    for user in users:
        user.start()
    references.wait_until_unused()
    for user in users:
        user.join(20)
    assert not any(user.is_alive() for user in users)
