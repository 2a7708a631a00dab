"""`POST /compare`: two texts word by word, to see what another source or option has changed."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from service.api.auth.repetition import declared_repetition
from service.api.dependencies import CallerOf, PartsOf, parameters_of
from service.api.openapi import JSON, REPETITION_PROBLEMS, problems, repeatable, request_body
from service.api.replies.json import Json, Reply, json_response
from service.api.requests.parameters import check_texts
from service.api.requests.schemas import CompareParameters
from service.errors import PayloadTooLargeError
from service.text.alignment.differences import num_pairs, side_by_side
from service.text.alignment.word_links import Span, words

router = APIRouter(tags=["native"])

MAX_COMPARED_PAIRS = 16_000_000
"""Pairs of words between what two texts have in common at both ends: 2 MB, and 40 ms."""


class ComparedWord(Reply):
    """A word or a punctuation mark."""

    text: str
    """As in its text."""
    start: int
    """Characters before it in its text."""
    end: int
    """Characters up to its end."""


class ComparedStep(Reply):
    """Words of both texts that stand beside each other."""

    first: ComparedWord | None
    """Null: only the second text has a word here."""
    second: ComparedWord | None
    """Null: only the first text has a word here."""
    same: bool
    """Both have the same word."""


class CompareReply(Reply):
    """Two texts, word by word."""

    changed: int
    """Steps that are not the same."""
    steps: list[ComparedStep]
    """Every word of both texts, once and in order."""


CompareInput = Annotated[CompareParameters, Depends(parameters_of(CompareParameters))]


@router.post(
    "/compare",
    summary="Say which words differ between two texts",
    response_model=CompareReply,
    responses={**problems(400, 403, 408, 413, 429, 500, 503, 504), **REPETITION_PROBLEMS},
    openapi_extra=repeatable(
        request_body(
            CompareParameters,
            JSON,
            example={"first": "Er saß auf der Bank.", "second": "Er saß auf dem Ufer."},
        )
    ),
)
async def compare(
    request: Request, caller: CallerOf, parameters: CompareInput, parts: PartsOf
) -> Response:
    """No model runs: translate both, and compare the translations."""
    account = await caller.account(parameters.api_key, within_s=parts.settings.deadline_ms / 1000)
    first, second = parameters.first, parameters.second
    check_texts([first], parts.settings, further=[second], name="first")
    num_chars = len(first) + len(second)
    async with account.charged(num_chars, await declared_repetition(request)):
        content = await parts.in_flight.run(
            request,
            account.client,
            parts.reply_thread.run(account.client, num_chars, compared, first, second),
        )
    return json_response(content)


def compared(first: str, second: str) -> Json:
    """Body of the reply, as `CompareReply` declares it.

    Raises:
        PayloadTooLargeError: The texts have too little in common.
    """
    spans = words(first), words(second)
    own, other = ([text[a:b] for a, b in s] for text, s in zip((first, second), spans, strict=True))
    if (pairs := num_pairs(own, other)) > MAX_COMPARED_PAIRS:
        raise PayloadTooLargeError(
            f"between their common ends the texts have {pairs:,} pairs of words; the limit is "
            f"{MAX_COMPARED_PAIRS:,}: compare them sentence by sentence"
        )
    steps = side_by_side(own, other)
    return {
        "changed": sum(not step.is_same for step in steps),
        "steps": [
            {
                "first": _word(first, spans[0], step.first),
                "second": _word(second, spans[1], step.second),
                "same": step.is_same,
            }
            for step in steps
        ],
    }


def _word(text: str, spans: list[Span], index: int | None) -> Json | None:
    if index is None:
        return None
    start, end = spans[index]
    return {"text": text[start:end], "start": start, "end": end}
