"""`POST /score`: log-probabilities of given translations."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from service.api.auth.repetition import declared_repetition
from service.api.dependencies import (
    INSPECTIONS_HAVE_ROOM,
    CallerOf,
    Parts,
    PartsOf,
    parameters_of,
)
from service.api.openapi import JSON, REPETITION_PROBLEMS, problems, repeatable, request_body
from service.api.replies.json import Json, Reply, content_of, json_response
from service.api.requests.direct_route import DirectRoute
from service.api.requests.parameters import check_texts, timeout_s
from service.api.requests.schemas import ScoreParameters
from service.engine.ablation import canonical
from service.inspection.values import ScoredPair, ScoreRequest
from service.scheduling.limits import Client

router = APIRouter(tags=["native"], route_class=DirectRoute)


class ScoreReply(Reply):
    """A given translation."""

    score: float
    """Log-probability of the whole translation, nats."""
    target_tokens: list[str]
    """Pieces of the translation, `</s>` last."""
    token_scores: list[float]
    """Log-probability of each of them, nats."""


ScoreInput = Annotated[ScoreParameters, Depends(parameters_of(ScoreParameters))]


@router.post(
    "/score",
    dependencies=[INSPECTIONS_HAVE_ROOM],
    summary="Say how likely given translations are",
    response_model=list[ScoreReply],
    responses={**problems(400, 403, 408, 413, 429, 500, 503, 504), **REPETITION_PROBLEMS},
    openapi_extra=repeatable(
        request_body(
            ScoreParameters,
            JSON,
            example={
                "source": "en",
                "target": "de",
                "pairs": [{"source_text": "Good morning.", "target_text": "Guten Morgen."}],
            },
        )
    ),
)
async def score(
    request: Request, caller: CallerOf, parameters: ScoreInput, parts: PartsOf
) -> Response:
    """Each pair goes through the model once, as one sentence, whatever stands beside it."""
    time_limit_s = timeout_s(parameters, parts.settings)
    account = await caller.account(parameters.api_key, within_s=time_limit_s)
    sources = [pair.source_text for pair in parameters.pairs]
    targets = [pair.target_text for pair in parameters.pairs]
    check_texts(sources, parts.settings, further=targets, name="pairs")
    asked = ScoreRequest(
        pairs=tuple(zip(sources, targets, strict=True)),
        source=parameters.source,
        target=parameters.target,
        without_heads=canonical(parameters.without_heads),
        timeout_s=time_limit_s,
    )
    num_chars = sum(map(len, [*sources, *targets]))
    async with account.charged(num_chars, await declared_repetition(request)):
        scored = await parts.in_flight.run(
            request, account.client, _scored(parts, asked, account.client)
        )
    return json_response([_content(pair) for pair in scored])


async def _scored(parts: Parts, asked: ScoreRequest, client: Client) -> list[ScoredPair]:
    async with parts.throttle.turn(asked.timeout_s, client) as left_s:
        return await parts.translator.score(replace(asked, timeout_s=left_s))


def _content(pair: ScoredPair) -> Json:
    return content_of(ScoreReply, pair, score="log_prob", token_scores="token_log_probs")  # nosec B106 - no password: the name of a field
