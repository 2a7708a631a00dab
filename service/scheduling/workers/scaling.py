"""How many engines a model needs: enough for its requests, within bounds, and without haste."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from service.observability.clock import Clock
from service.scheduling.workers.engine_pool import EnginePool

LOOK_S = 0.5
"""How often a scaler looks at the load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingOptions:
    """Bounds, target and delays."""

    min_engines: int = 1
    max_engines: int = 1
    requests_per_engine: float = 8.0
    """Target of requests in flight for each engine."""
    upscale_delay_s: float = 30.0
    """How long more engines must be needed without a break before they are started."""
    downscale_delay_s: float = 600.0
    """How long fewer must be enough before some are ended."""

    def __post_init__(self) -> None:
        """Check the bounds.

        Raises:
            ValueError: The bounds leave no number.
        """
        if not 1 <= self.min_engines <= self.max_engines:
            raise ValueError(
                f"min_engines is {self.min_engines}, max_engines {self.max_engines}: "
                "at least 1, and no more than the maximum"
            )


class Scaling:
    """Follows the requests in flight; asked at short intervals, not safe between threads."""

    def __init__(self, options: ScalingOptions, clock: Clock = time.monotonic) -> None:
        self._options = options
        self._clock = clock
        self._more_since_s: float | None = None
        self._fewer_since_s: float | None = None

    def num_wanted(self, num_requests: int, num_engines: int) -> int:
        """The number of engines there should be, while there are `num_engines`."""
        needed = self._num_needed(num_requests)
        now_s = self._clock()
        self._more_since_s = (self._more_since_s or now_s) if needed > num_engines else None
        self._fewer_since_s = (self._fewer_since_s or now_s) if needed < num_engines else None
        if self._has_passed(self._more_since_s, self._options.upscale_delay_s):
            return needed
        if self._has_passed(self._fewer_since_s, self._options.downscale_delay_s):
            return needed
        return min(max(num_engines, self._options.min_engines), self._options.max_engines)

    def _num_needed(self, num_requests: int) -> int:
        options = self._options
        needed = math.ceil(num_requests / options.requests_per_engine)
        return min(max(needed, options.min_engines), options.max_engines)

    def _has_passed(self, since_s: float | None, delay_s: float) -> bool:
        return since_s is not None and self._clock() - since_s >= delay_s


class EngineScaler:
    """Adds engines to a pool and retires them, in a thread of its own.

    Nothing waits for an engine that cannot start yet: its machine may have to be started first.
    """

    def __init__(
        self,
        pool: EnginePool,
        options: ScalingOptions,
        num_requests: Callable[[], int],
        clock: Clock = time.monotonic,
    ) -> None:
        """Add nothing before `start`.

        Args:
            pool: Empty; closed by its owner, after `close`.
            options: How many engines there are to be.
            num_requests: Requests in flight now.
            clock: Monotonic, seconds.
        """
        self._pool = pool
        self._num_requests = num_requests
        self._scaling = Scaling(options, clock)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pellucid-scaling", daemon=True)

    def start(self) -> None:
        """Begin to start the least number of engines, and to follow the load."""
        self.resize()
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def resize(self) -> None:
        """Look once: add engines that are needed, or retire some that have not been for long."""
        num_engines = self._pool.num_engines
        num_wanted = self._scaling.num_wanted(self._num_requests(), num_engines)
        for _ in range(num_wanted - num_engines):
            self._pool.add()
        for _ in range(num_engines - num_wanted):
            self._pool.retire()

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_S):
            self.resize()
