"""Shares the processors out over bundles: who has a backlog gets further engines.

Every bundle keeps one engine. A bundle that is served alone has all of them at once.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakKeyDictionary

from service.observability.clock import Clock

BACKED_UP_S = 0.5
"""A bundle gets another engine when sentences have waited for slots for so long."""
SLACK_S = 60.0
"""It loses one when the others would have sufficed for so long."""
LOOK_S = 0.25
"""How often it is looked."""

_log = logging.getLogger(__name__)


class SharedEngines(Protocol):
    """The engines of one bundle."""

    @property
    def num_engines(self) -> int:
        """Engines that there are, the starting ones included."""

    @property
    def max_engines(self) -> int:
        """Engines that there may be."""

    @property
    def slots_per_engine(self) -> int:
        """Rows that an engine decodes side by side."""

    @property
    def slots_wanted(self) -> int:
        """Rows that all accepted and unfinished sentences need."""

    def add_engine(self) -> bool:
        """Begin to start one more; returns whether there was room for it."""

    def retire_engine(self) -> None:
        """Let one end when it has finished what it has."""


@dataclass(slots=True, kw_only=True)
class _Since:
    """Moments on the clock; None: it is not so."""

    backed_up_s: float | None = None
    slack_s: float | None = None


class EngineShares:
    """Looks at all bundles every now and then, in a thread of its own."""

    def __init__(
        self,
        bundles: Callable[[], Sequence[SharedEngines]],
        *,
        max_engines: int,
        clock: Clock = time.monotonic,
        may_be_joined: Callable[[], bool] = lambda: False,
    ) -> None:
        """Do nothing before `start`.

        Args:
            bundles: Those that are served now.
            max_engines: That work at once, over all bundles: one per processor.
            clock: Monotonic, seconds.
            may_be_joined: Whether a bundle that is alone now may be joined by others at any time.
        """
        self._may_be_joined = may_be_joined
        self._bundles = bundles
        self._max_engines = max_engines
        self._clock = clock
        self._since: WeakKeyDictionary[SharedEngines, _Since] = WeakKeyDictionary()
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name="pellucid-engine-shares", daemon=True
        )

    def start(self) -> None:
        """Begin to look, where there is anything to share; a second call does nothing."""
        if self._max_engines > 1 and self._thread.ident is None:
            self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def look(self) -> None:
        """Retire what has not been needed for long, and add one engine where one is missing."""
        bundles = self._bundles()
        if len(bundles) == 1 and not self._may_be_joined():
            for bundle in bundles:
                while bundle.num_engines < bundle.max_engines and bundle.add_engine():
                    pass
            return
        now_s = self._clock()
        for bundle in bundles:
            self._observe(bundle, now_s)
        for bundle in bundles:
            since_s = self._since[bundle].slack_s
            if since_s is not None and now_s - since_s >= SLACK_S:
                self._retire_from(bundle)
        self._add_one(bundles, now_s)

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_S):
            try:
                self.look()
            except Exception:  # noqa: BLE001 - the engines that there are go on working
                _log.exception("engines cannot be shared out")

    def _observe(self, bundle: SharedEngines, now_s: float) -> None:
        since = self._since.setdefault(bundle, _Since())
        wanted, slots = bundle.slots_wanted, bundle.slots_per_engine
        since.backed_up_s = _since(since.backed_up_s, now_s, wanted > bundle.num_engines * slots)
        has_slack = bundle.num_engines > 1 and wanted <= (bundle.num_engines - 1) * slots
        since.slack_s = _since(since.slack_s, now_s, has_slack)

    def _add_one(self, bundles: Sequence[SharedEngines], now_s: float) -> None:
        waiting = [
            bundle
            for bundle in bundles
            if (since_s := self._since[bundle].backed_up_s) is not None
            and now_s - since_s >= BACKED_UP_S
            and bundle.num_engines < bundle.max_engines
        ]
        if not waiting or sum(map(_num_busy, bundles)) >= self._max_engines:
            return  # each engine more would take its time from another
        if sum(bundle.num_engines - 1 for bundle in bundles) < self._max_engines - 1:
            neediest = max(waiting, key=lambda b: b.slots_wanted / b.num_engines)
            if neediest.add_engine():
                self._since[neediest].backed_up_s = None
            return
        for bundle in bundles:
            if self._since[bundle].slack_s is not None:
                self._retire_from(bundle)  # to make room; the next look adds
                return

    def _retire_from(self, bundle: SharedEngines) -> None:
        bundle.retire_engine()
        self._since[bundle].slack_s = None


def _since(before_s: float | None, now_s: float, is_so: bool) -> float | None:
    if not is_so:
        return None
    return now_s if before_s is None else before_s


def _num_busy(bundle: SharedEngines) -> int:
    """Engines that the sentences of a bundle keep at work."""
    return min(bundle.num_engines, -(-bundle.slots_wanted // bundle.slots_per_engine))
