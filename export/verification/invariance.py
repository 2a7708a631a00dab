"""Proves that a translation does not depend on its batch."""

from collections.abc import Sequence

from tqdm import tqdm

from export.errors import VerificationError
from service.engine.graphs.sessions import Sessions
from service.engine.offline import decode_stream
from service.engine.search.options import DecodeOptions

BATCH = 32


def check_invariance(sessions: Sessions, sources: Sequence[Sequence[int]]) -> None:
    """Decode every sentence alone, and all of them in batches where rows come and go.

    Args:
        sessions: Of the bundle.
        sources: Source ids, end token included.

    Raises:
        VerificationError: A translation differs.
    """
    alone, together = (_translate(sessions, sources, num_slots) for num_slots in (1, BATCH))
    changed = sum(alone[i] != together[i] for i in range(len(sources)))
    if changed:
        raise VerificationError(
            f"{changed} of {len(sources)} translations depend on their batch: "
            "a scale or a mask reaches over rows"
        )


def _translate(
    sessions: Sessions, sources: Sequence[Sequence[int]], num_slots: int
) -> dict[int, tuple[int, ...]]:
    longest = sessions.bundle.manifest.max_target_tokens
    options = DecodeOptions(max_target_tokens=longest, with_scores=False)
    stream = decode_stream(sessions, sources, options, num_slots=num_slots)
    name = f"batches of {num_slots}"
    bar = tqdm(stream, total=len(sources), desc=name, unit="sentence", disable=None)
    return {index: hypotheses[0].target_ids for index, hypotheses in bar}
