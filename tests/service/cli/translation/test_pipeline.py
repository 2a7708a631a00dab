"""Lines are read in a thread that may outlive the event loop."""

import asyncio
from collections.abc import Iterator

from service.cli.translation.translate import _Pipeline, _Result


async def _copied(line: bytes, _: int) -> _Result:
    return _Result(line=line)


def test_a_line_that_is_read_after_the_end_is_given_up() -> None:
    async def made(lines: Iterator[bytes]) -> _Pipeline:
        return _Pipeline(lines, _copied, lines_ahead=2)

    pipeline = asyncio.run(made(iter([b"a line"])))
    pipeline._read()


def test_results_come_in_the_order_of_the_lines() -> None:
    async def copied() -> list[bytes]:
        pipeline = _Pipeline(iter([b"one", b"two", b"three"]), _copied, lines_ahead=2)
        return [result.line async for result in pipeline.results()]

    assert asyncio.run(copied()) == [b"one", b"two", b"three"]
