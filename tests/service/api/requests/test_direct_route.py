"""Dependencies are called once, in order, and what a direct route cannot give is refused."""

from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Response

from service.api.requests.direct_route import DirectRoute
from tests.service.api.fakes import ask


def test_each_dependency_is_called_once_and_in_order() -> None:
    called: list[str] = []

    async def first(request: Request) -> str:
        called.append("first")
        return request.url.path

    async def second(path: Annotated[str, Depends(first)]) -> str:
        called.append("second")
        return path + "!"

    router = APIRouter(route_class=DirectRoute)

    @router.get("/here")
    async def answer(
        loud: Annotated[str, Depends(second)], plain: Annotated[str, Depends(first)]
    ) -> Response:
        called.append("answer")
        return Response(f"{loud} {plain}")

    app = FastAPI()
    app.include_router(router)
    assert ask(app, "GET", "/here").text == "/here! /here"
    assert called == ["first", "second", "answer"]


def test_parameters_that_fastapi_would_validate_are_refused() -> None:
    async def answer(number: int) -> Response:
        return Response(str(number))

    router = APIRouter(route_class=DirectRoute)
    with pytest.raises(TypeError, match="needs more than a direct route gives"):
        router.get("/here")(answer)


def test_functions_that_block_are_refused() -> None:
    def answer() -> Response:
        return Response("")

    router = APIRouter(route_class=DirectRoute)
    with pytest.raises(TypeError, match="needs more than a direct route gives"):
        router.get("/here")(answer)
