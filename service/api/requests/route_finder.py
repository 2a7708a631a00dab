"""Finds the route of a request; FastAPI asks all routers each time, and the right one twice."""

from functools import lru_cache

from fastapi import APIRouter
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

_MAX_PATHS = 512
MAX_PATH_CHARS = 200
"""Of a path that is remembered; longer ones, which nothing would bound, are not."""


class RouteFinder:
    """Stands in front of a router, and remembers which of its routes know a path."""

    def __init__(self, router: APIRouter) -> None:
        """Look for the first path now: FastAPI prepares its routes then, which takes 30 ms.

        Args:
            router: All its routes are there; they belong to routers that it includes.
        """
        assert all(not isinstance(route, Route) for route in router.routes)
        self._router = router
        self._remembered = lru_cache(maxsize=_MAX_PATHS)(self._find)
        self._find("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http" or scope.get("root_path"):
            await self._router.app(scope, receive, send)
            return
        scope["router"] = self._router
        routes = self.routes_of(scope["path"])
        if not routes:
            await self._router.default(scope, receive, send)
            return
        matches = [route.matches(scope)[0] for route in routes]
        best = matches.index(Match.FULL if Match.FULL in matches else Match.PARTIAL)
        await routes[best].handle(scope, receive, send)

    def routes_of(self, path: str) -> tuple[BaseRoute, ...]:
        """Those that know a path, whatever the method."""
        return self._remembered(path) if len(path) <= MAX_PATH_CHARS else self._find(path)

    def _find(self, path: str) -> tuple[BaseRoute, ...]:
        scope = {"type": "http", "method": "", "path": path, "headers": []}
        routes = self._router.routes
        return tuple(route for route in routes if route.matches(scope)[0] is not Match.NONE)
