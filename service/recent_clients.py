"""Is anybody asking beside the others? A batch may have everything only while it is alone."""

from collections import OrderedDict
from collections.abc import Callable

from service.client import NOBODY, Client

RECENTLY_S = 1.0
"""Who has not asked for so long is not waited for: somebody who types pauses for less."""


class RecentClients:
    """Who has asked lately; not safe between threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._asked_s: OrderedDict[str, float] = OrderedDict()

    @property
    def are_several(self) -> bool:
        """Whether there is more than one of them."""
        self._forget()
        return len(self._asked_s) > 1

    def add(self, client: Client) -> None:
        """A client asks now; the service's own work does not count."""
        if client != NOBODY:
            self._asked_s[client.name] = self._clock()
            self._asked_s.move_to_end(client.name)
            self._forget()

    def _forget(self) -> None:
        until_s = self._clock() - RECENTLY_S
        while self._asked_s and next(iter(self._asked_s.values())) < until_s:
            self._asked_s.popitem(last=False)
