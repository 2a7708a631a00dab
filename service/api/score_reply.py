"""What a model thinks of given translations, as `/score` says it."""

from pydantic import BaseModel, ConfigDict

from service.inspection.values import ScoredPair


class ScoreReply(BaseModel):
    """A given translation."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    score: float
    """Log-probability of the whole translation, nats."""
    target_tokens: list[str]
    """Pieces of the translation, `</s>` last."""
    token_scores: list[float]
    """Log-probability of each of them, nats."""


def score_content(pair: ScoredPair) -> dict[str, object]:
    """What is said of a pair."""
    return {
        "score": pair.log_prob,
        "target_tokens": pair.target_tokens,
        "token_scores": pair.token_log_probs,
    }
