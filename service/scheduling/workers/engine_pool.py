"""The engines of one bundle: how many there are may change while they work."""

import logging
import threading
from collections.abc import Callable
from itertools import count

from service.scheduling.workers.dispatcher import Dispatcher

_log = logging.getLogger(__name__)


class EnginePool:
    """Starts, adds and retires engines; safe between threads."""

    def __init__(self, create: Callable[[int], Dispatcher], *, max_engines: int) -> None:
        """Start nothing.

        Args:
            create: Makes the dispatcher of an engine, by its number.
            max_engines: That there may be at once.
        """
        self._create = create
        self._max_engines = max_engines
        self._dispatchers: list[Dispatcher] = []
        self._leaving: list[Dispatcher] = []
        self._lock = threading.Lock()
        self._is_closed = False

    @property
    def dispatchers(self) -> tuple[Dispatcher, ...]:
        """Of all engines that take work, or will once they have started."""
        return tuple(self._dispatchers)

    @property
    def num_engines(self) -> int:
        """Engines that take work, or will once they have started."""
        return len(self._dispatchers)

    @property
    def max_engines(self) -> int:
        """Engines that there may be."""
        return self._max_engines

    def create(self, num_engines: int) -> None:
        """Make engines, to be started side by side."""
        while len(self._dispatchers) < num_engines:
            self._dispatchers.append(self._create(self._free_number()))

    def launch(self) -> None:
        """Begin to start the engines that were made, without waiting."""
        for dispatcher in self._dispatchers:
            dispatcher.launch()

    def start(self) -> None:
        """Start the engines that were made.

        Raises:
            StartupError: One of them cannot start.
        """
        for dispatcher in self._dispatchers:
            dispatcher.start()

    def add(self) -> bool:
        """Add an engine, which starts by itself; returns whether there was room for one."""
        with self._lock:
            self._leaving = [d for d in self._leaving if d.is_running]
            num_all = len(self._dispatchers) + len(self._leaving)
            if self._is_closed or num_all >= self._max_engines:
                return False
            dispatcher = self._create(self._free_number())
            self._dispatchers.append(dispatcher)
        dispatcher.start_later()
        _log.info("engine added", extra={"engines": self.num_engines})
        return True

    def retire(self) -> None:
        """Let an engine end once it has finished what it has; the last one stays."""
        with self._lock:
            if self._is_closed or len(self._dispatchers) < 2:
                return
            dispatcher = self._dispatchers.pop()
            self._leaving.append(dispatcher)
        dispatcher.retire()
        _log.info("engine retired", extra={"engines": self.num_engines})

    def close(self) -> None:
        """End all engines; what they still have fails."""
        with self._lock:
            self._is_closed = True
            dispatchers = [*self._dispatchers, *self._leaving]
        for dispatcher in dispatchers:
            dispatcher.stop()

    def _free_number(self) -> int:
        """The lowest that no engine has: names of threads stay few."""
        taken = {dispatcher.number for dispatcher in (*self._dispatchers, *self._leaving)}
        return next(number for number in count() if number not in taken)
