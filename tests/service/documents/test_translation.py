"""Documents, string by string."""

import asyncio
from collections.abc import Mapping

import pytest

from service.documents.formats import read_document
from service.documents.translation import translate_document
from service.errors import OverloadedError, TranslationFailedError
from service.text.detection import Detection
from service.translation.values import TranslateRequest, TranslateResult, Translation

OPTIONS = TranslateRequest(texts=(), source="en", target="de", beam_size=3)
MIXED = "Plain words.\n\n**Bold** words.\n\nMore words.\n"


class Capitals:
    """Stands for the translator; refuses and fails as it is told."""

    def __init__(self, *, num_refusals: int = 0, failing: str | None = None) -> None:
        self.requests: list[TranslateRequest] = []
        self.running = self.most_running = 0
        self._num_refusals = num_refusals
        self._failing = failing

    async def translate(self, request: TranslateRequest) -> TranslateResult:
        self.requests.append(request)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await asyncio.sleep(0)
            return self._result(request)
        finally:
            self.running -= 1

    def _result(self, request: TranslateRequest) -> TranslateResult:
        if self._num_refusals:
            self._num_refusals -= 1
            raise OverloadedError("full", retry_after_s=2.5)
        if self._failing in request.texts:
            raise TranslationFailedError("poisoned")
        detected = Detection(language="en", confidence=90) if request.source == "auto" else None
        return TranslateResult(
            translations=tuple(
                Translation(text=text.upper(), detected=detected) for text in request.texts
            )
        )


def _run(
    translator: Capitals,
    data: bytes,
    *,
    name: str = "a.txt",
    options: TranslateRequest = OPTIONS,
    done: Mapping[int, str] | None = None,
) -> tuple[bytes, dict[int, str], list[float]]:
    """The document, what was told on the way, and for how long it was waited."""
    told: dict[int, str] = {}
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    work = translate_document(
        read_document(name, data),
        options,
        translator.translate,
        done=done,
        on_batch=told.update,
        sleep=sleep,
    )
    return asyncio.run(work), told, waits


def test_every_string_is_translated_once_and_told() -> None:
    data = b"".join(b"paragraph %d\n\n" % number for number in range(500))
    translator = Capitals()
    written, told, _ = _run(translator, data)
    assert written == data.upper()
    assert sorted(told) == list(range(500))
    texts = [text for request in translator.requests for text in request.texts]
    assert len(texts) == len(set(texts)) == 500


def test_batches_are_bounded_in_size_and_number() -> None:
    translator = Capitals()
    _run(translator, (b"x" * 1_500 + b"\n\n") * 50)
    assert {len(request.texts) for request in translator.requests} == {1}
    assert 1 < translator.most_running <= 4


def test_a_batch_has_one_format_and_the_options() -> None:
    translator = Capitals()
    _run(translator, MIXED.encode(), name="a.md")
    assert [request.markup is not None for request in translator.requests] == [False, True, False]
    assert {request.beam_size for request in translator.requests} == {3}


def test_what_is_done_is_not_done_again() -> None:
    translator = Capitals()
    written, told, _ = _run(translator, b"a\n\nb\n\nc", done={0: "x", 2: "z"})
    assert (written, told) == (b"x\n\nB\n\nz", {1: "B"})
    assert [request.texts for request in translator.requests] == [("b",)]


def test_a_full_service_is_waited_for() -> None:
    written, _, waits = _run(Capitals(num_refusals=5), b"a\n\nb")
    assert written == b"A\n\nB"
    assert waits == [2.5] * 5


def test_a_service_that_stays_full_is_given_up() -> None:
    with pytest.raises(OverloadedError):
        _run(Capitals(num_refusals=1_000), b"a")


def test_a_failure_ends_everything_and_leaves_nothing_running() -> None:
    data = b"".join(b"%d%s\n\n" % (number, b"x" * 1_500) for number in range(20))
    translator = Capitals(failing=data.split(b"\n\n")[9].decode())
    with pytest.raises(TranslationFailedError):
        _run(translator, data)
    assert translator.running == 0
    assert len(translator.requests) < 20


def test_a_document_has_one_language() -> None:
    translator = Capitals()
    options = TranslateRequest(texts=(), source="auto", target="de")
    _run(translator, b"Hello there.\n\nOK\n\n" + b"x" * 5_000, options=options)
    sample, *others = translator.requests
    assert sample.texts[0].startswith("Hello there.\nOK\n")
    assert len(sample.texts[0]) < 1_500
    assert {request.source for request in others} == {"en"}


def test_a_document_without_text_needs_no_translator() -> None:
    translator = Capitals()
    options = TranslateRequest(texts=(), source="auto", target="de")
    assert _run(translator, b" \n\n", options=options)[0] == b" \n\n"
    assert translator.requests == []
