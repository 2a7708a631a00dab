"""The route of a path is looked for once."""

from collections import Counter
from itertools import product

import pytest
from fastapi import APIRouter, FastAPI
from starlette.routing import Match
from starlette.types import Scope

from service.api.requests.direct_route import MAX_PATH_CHARS, RouteFinder
from tests.service.api.fakes import UpperCaser, app_with, ask


class Asked:
    """A route that counts how often it is asked for a path."""

    def __init__(self, path: str, asked: Counter[str]) -> None:
        self._path = path
        self._asked = asked

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether it is this path."""
        self._asked[self._path] += 1
        return (Match.PARTIAL if scope["path"] == self._path else Match.NONE), {}


@pytest.mark.parametrize(
    ("path", "num_asked"), [("/b", 2), ("/unknown", 2), ("/" + "a" * MAX_PATH_CHARS, 4)]
)
def test_routes_are_asked_once_for_a_path_that_is_not_long(path: str, num_asked: int) -> None:
    asked: Counter[str] = Counter()
    router = APIRouter()
    router.routes.extend(Asked(each, asked) for each in ("/a", "/b"))  # type: ignore[misc]
    finder = RouteFinder(router)
    asked.clear()
    found = [finder.routes_of(path) for _ in range(2)]
    assert found[0] == found[1] == tuple(r for r in router.routes if path == "/b" == r._path)  # type: ignore[attr-defined]
    assert asked.total() == num_asked


def test_every_path_is_answered_as_by_the_router_itself() -> None:
    app, plain = app_with(UpperCaser()), app_with(UpperCaser())
    assert isinstance(app.router.middleware_stack, RouteFinder)
    plain.router.middleware_stack = plain.router.app
    paths = [*app.openapi()["paths"], "/", "/nothing", "/v2/nothing"]
    for method, path in product(("GET", "POST", "DELETE", "PATCH"), paths):
        replies = [ask(each, method, path) for each in (app, plain)]
        seen = [(r.status_code, r.headers.get("allow"), r.headers["content-type"]) for r in replies]
        assert seen[0] == seen[1], (method, path)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/livez", 200),
        ("HEAD", "/livez", 405),
        ("POST", "/livez", 405),
        ("GET", "/nothing", 404),
        ("GET", "/livez/", 404),
        ("GET", "/" + "a/" * MAX_PATH_CHARS, 404),
    ],
)
def test_statuses_are_the_same_each_time(method: str, path: str, status: int) -> None:
    app: FastAPI = app_with(UpperCaser())
    assert [ask(app, method, path).status_code for _ in range(2)] == [status] * 2
