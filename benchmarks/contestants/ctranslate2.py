"""CTranslate2 on the same weights: batch after batch, several at once if allowed."""

import json
from collections.abc import Sequence

import ctranslate2

from benchmarks.contestants.interface import (
    LENGTH_PENALTY,
    Contestant,
    Order,
    Request,
    Threads,
    groups_of,
    limit_of,
)


def open_contestant(contestant: Contestant, threads: Threads) -> "CTranslate2":
    """Load the model; CTranslate2 quantises an unquantised file while loading."""
    path = contestant.folder / "shared_vocabulary.json"
    translator = ctranslate2.Translator(
        str(contestant.folder),
        compute_type=contestant.precision,
        intra_threads=threads.intra,
        inter_threads=threads.inter,
        max_queued_batches=-1,
    )
    return CTranslate2(translator, json.loads(path.read_bytes()), contestant.order)


class CTranslate2:
    """Queues all batches at once, so that CTranslate2 never waits for Python."""

    def __init__(
        self, translator: ctranslate2.Translator, pieces: Sequence[str], order: Order
    ) -> None:
        self._translator = translator
        self._order = order
        self._pieces = pieces
        self._ids = {piece: i for i, piece in enumerate(pieces)}

    def translate(
        self, requests: Sequence[Request], *, batch: int, beam: int
    ) -> list[tuple[int, ...]]:
        """See `Engine`."""
        groups = groups_of(requests, batch, self._order)
        pending = [self._submit([requests[i] for i in group], beam) for group in groups]
        results: dict[int, tuple[int, ...]] = {}
        for group, outcomes in zip(groups, pending, strict=True):
            for index, outcome in zip(group, outcomes, strict=True):
                pieces = outcome.result().hypotheses[0]
                results[index] = tuple(self._ids[piece] for piece in pieces)
        return [results[i] for i in range(len(requests))]

    def close(self) -> None:
        """See `Engine`."""
        self._translator.unload_model()

    def _submit(
        self, requests: Sequence[Request], beam: int
    ) -> list[ctranslate2.AsyncTranslationResult]:
        pending: list[ctranslate2.AsyncTranslationResult] = self._translator.translate_batch(
            [[self._pieces[i] for i in request.source_ids] for request in requests],
            beam_size=beam,
            length_penalty=LENGTH_PENALTY,
            max_decoding_length=limit_of(requests),
            min_decoding_length=requests[0].min_target_tokens,
            max_input_length=0,
            asynchronous=True,
        )
        return pending
