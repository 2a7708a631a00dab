"""The engines of a model with their dispatchers: a fixed number, or as many as the load needs."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from service.observability.clock import Clock
from service.scheduling.workers.dispatcher import Dispatcher
from service.scheduling.workers.scaling import Scaling, ScalingOptions

LOOK_S = 0.5
"""How often an elastic pool looks at the load."""

_log = logging.getLogger(__name__)


class FixedPool:
    """Engines on this machine; all of them must start."""

    def __init__(self, dispatchers: Sequence[Dispatcher]) -> None:
        self.dispatchers = tuple(dispatchers)

    def start(self) -> None:
        """Start the engines, side by side.

        Raises:
            StartupError: One of them cannot start.
        """
        for dispatcher in self.dispatchers:
            dispatcher.launch()
        for dispatcher in self.dispatchers:
            dispatcher.start()

    def stop(self) -> None:
        """End them; jobs that they still have fail."""
        for dispatcher in self.dispatchers:
            dispatcher.stop()


class ElasticPool:
    """Engines elsewhere, which come when there is room for them and go when they are not needed.

    Nothing waits for an engine that cannot start yet: its machine may have to be started first.
    """

    def __init__(
        self,
        create: Callable[[int], Dispatcher],
        options: ScalingOptions,
        num_requests: Callable[[], int],
        clock: Clock = time.monotonic,
    ) -> None:
        """Create nothing before `start`.

        Args:
            create: Makes the dispatcher with a number, which no other has had.
            options: How many there are to be.
            num_requests: Requests in flight now.
            clock: Monotonic, seconds.
        """
        self._create = create
        self._num_requests = num_requests
        self._min_engines = options.min_engines
        self._scaling = Scaling(options, clock)
        self._num_created = 0
        self._retiring: list[Dispatcher] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pellucid-scaling", daemon=True)
        self.dispatchers: tuple[Dispatcher, ...] = ()
        """Those that take jobs; replaced as a whole."""

    def start(self) -> None:
        """Begin to start the least number of engines, and to follow the load."""
        self._grow(self._min_engines)
        self._thread.start()

    def stop(self) -> None:
        """End all engines; jobs that they still have fail."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        for dispatcher in (*self.dispatchers, *self._retiring):
            dispatcher.stop()

    def resize(self) -> None:
        """One look: start or retire engines, and end those that have finished."""
        num_engines = len(self.dispatchers)
        num_wanted = self._scaling.num_wanted(self._num_requests(), num_engines)
        if num_wanted != num_engines:
            _log.info("engines rescaled", extra={"engines": num_wanted, "before": num_engines})
        if num_wanted > num_engines:
            self._grow(num_wanted - num_engines)
        elif num_wanted < num_engines:
            self._shrink(num_wanted)
        for dispatcher in [d for d in self._retiring if d.has_retired]:
            self._retiring.remove(dispatcher)
            dispatcher.stop()

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_S):
            self.resize()

    def _grow(self, num_more: int) -> None:
        new = [self._create(self._num_created + i) for i in range(num_more)]
        self._num_created += num_more
        for dispatcher in new:
            dispatcher.start_in_background()
        self.dispatchers += tuple(new)

    def _shrink(self, num_kept: int) -> None:
        """Retire the engines that have not begun, then the youngest."""
        in_order = sorted(self.dispatchers, key=lambda dispatcher: not dispatcher.is_serving)
        kept, gone = in_order[:num_kept], in_order[num_kept:]
        self.dispatchers = tuple(kept)
        for dispatcher in gone:
            dispatcher.retire()
        self._retiring += gone
