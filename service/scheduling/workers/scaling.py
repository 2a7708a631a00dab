"""How many engines a model needs: enough for its requests, within bounds, and without haste."""

import math
import time
from dataclasses import dataclass

from service.observability.clock import Clock


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
