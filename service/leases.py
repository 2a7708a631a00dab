"""Who uses a model right now, so that it is closed under nobody."""

import threading


class Leases:
    """Counts users until the last has gone; safe between threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._num_users = 0
        self._is_ending = False
        self._is_closed = False

    def take(self) -> bool:
        """Begin to use it; False: it is no longer given out, and must not be used."""
        with self._changed:
            if self._is_ending:
                return False
            self._num_users += 1
            return True

    def give_back(self) -> None:
        """End what `take` began."""
        with self._changed:
            self._num_users -= 1
            self._changed.notify_all()

    def end(self) -> None:
        """Give out no more, and wait until the last user has gone or `close` was called."""
        with self._changed:
            self._is_ending = True
            self._changed.wait_for(lambda: self._is_closed or self._num_users == 0)

    def close(self) -> None:
        """Let `end` wait for nobody any longer."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
