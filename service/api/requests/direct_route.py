"""Routes that are found, and solve their dependencies, by what was looked up once.

FastAPI's own way, by inspection at every request, costs a short one more than its validation. The
API description is the same.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import lru_cache
from inspect import iscoroutinefunction
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

_MAX_PATHS = 512
MAX_PATH_CHARS = 200
"""Of a path that is remembered; longer ones, which nothing would bound, are not."""

Call = Callable[..., Coroutine[Any, Any, Any]]
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True, slots=True)
class _Step:
    """A call of the plan."""

    call: Call
    request_name: str | None
    """Its argument that is the request, if it has one."""
    arguments: tuple[tuple[str, Call], ...]
    """Names of its other arguments, each with the earlier call that returns it."""

    async def run(self, request: Request, results: dict[Call, Any]) -> Any:  # noqa: ANN401 - any
        arguments = {name: results[call] for name, call in self.arguments}
        if self.request_name is not None:
            arguments[self.request_name] = request
        return await self.call(**arguments)


class DirectRoute(APIRoute):
    """A route of coroutines that return a `Response`, and need the request and each other only.

    Anything else that FastAPI offers is refused when the route is made.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer without FastAPI's stacks of contexts, which only generators would use.

        Errors become replies in the middleware around the router, by the same handlers.
        """
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        response = await self._answer(Request(scope, receive, send))
        await response(scope, receive, send)

    def get_route_handler(self) -> Handler:
        """What answers a request."""
        *dependencies, endpoint = _plan(self.dependant, {})

        async def answer(request: Request) -> Response:
            results: dict[Call, Any] = {}
            for step in dependencies:
                results[step.call] = await step.run(request, results)
            response = await endpoint.run(request, results)
            assert isinstance(response, Response), "see the class"
            return response

        self._answer: Handler = answer
        return answer


class RouteFinder:
    """Stands in front of a router, and remembers which of its routes know a path.

    FastAPI asks all of them each time, and the right one twice.
    """

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


def _plan(dependant: Dependant, planned: dict[Call, _Step]) -> list[_Step]:
    """All calls of a dependant, each once and behind those it needs; its own is the last."""
    call = dependant.call
    if call is None or not iscoroutinefunction(call) or _needs_more(dependant):
        raise TypeError(f"{call} needs more than a direct route gives")
    for needed in dependant.dependencies:
        if needed.call not in planned:
            _plan(needed, planned)
    arguments = tuple((d.name, d.call) for d in dependant.dependencies if d.name and d.call)
    planned[call] = _Step(call, dependant.request_param_name, arguments)
    return list(planned.values())


def _needs_more(dependant: Dependant) -> bool:
    return any(
        (
            *(dependant.path_params, dependant.query_params, dependant.header_params),
            *(dependant.cookie_params, dependant.body_params),
            dependant.response_param_name,
            dependant.background_tasks_param_name,
            dependant.security_scopes_param_name,
            dependant.http_connection_param_name,
            not dependant.use_cache,
        )
    )
