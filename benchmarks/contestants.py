"""The engines that are compared: the same sentences in, target ids out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import ctranslate2

from bundle.reader import read_bundle
from service.engine.batch_decoder import BatchDecoder, DecodeRequest
from service.engine.options import DecodeOptions
from service.engine.sessions import open_sessions

LENGTH_PENALTY = 0.0
"""Ours is Wu et al.'s, CTranslate2's is another: without any both rank by the plain sum."""


class Contestant(Protocol):
    """Translates on a fixed number of threads."""

    engine: str
    precision: str
    threads: int
    refills_rows: bool
    """Whether a finished sentence makes room at once, or only when its whole batch has ended."""

    def translate(
        self, sources: Sequence[Sequence[int]], *, batch: int, beam: int
    ) -> list[list[int]]:
        """Target ids of every sentence, without end token, `batch` sentences at a time."""


class Ours:
    """The engine of `service`, on a bundle."""

    engine = "pellucid"
    refills_rows = True

    def __init__(self, folder: Path, *, threads: int) -> None:
        self._sessions = open_sessions(read_bundle(folder), num_threads=threads)
        self._manifest = self._sessions.bundle.manifest
        self.precision: str = self._manifest.precision
        self.threads = threads
        self._decoders: dict[int, BatchDecoder[int]] = {}

    def translate(
        self, sources: Sequence[Sequence[int]], *, batch: int, beam: int
    ) -> list[list[int]]:
        """See `Contestant`."""
        options = DecodeOptions(
            beam_size=beam,
            length_penalty=LENGTH_PENALTY,
            max_target_tokens=self._manifest.max_target_tokens,
            with_scores=False,
        )
        decoder = self._decoder(batch * beam)
        waiting = sorted(range(len(sources)), key=lambda i: len(sources[i]))
        results: dict[int, list[int]] = {}
        while waiting or decoder.num_rows:
            count = min(len(waiting), decoder.free_slots // beam)
            admitted = [waiting.pop() for _ in range(count)]
            decoder.admit(
                [DecodeRequest(key=i, source_ids=sources[i], options=options) for i in admitted]
            )
            for finished in decoder.step():
                results[finished.key] = list(finished.hypotheses[0].target_ids)
        return [results[i] for i in range(len(sources))]

    def _decoder(self, num_slots: int) -> BatchDecoder[int]:
        """As in the service, a cache is allocated once and used for ever after."""
        if num_slots not in self._decoders:
            self._decoders[num_slots] = BatchDecoder(self._sessions, num_slots=num_slots)
        return self._decoders[num_slots]


class CTranslate2:
    """CTranslate2 on the same weights; it sorts by length and decodes batch after batch."""

    engine = "ctranslate2"
    refills_rows = False

    def __init__(
        self,
        folder: Path,
        pieces: Sequence[str],
        *,
        precision: str,
        threads: int,
        max_target_tokens: int,
    ) -> None:
        self._translator = ctranslate2.Translator(
            str(folder), compute_type=precision, intra_threads=threads, inter_threads=1
        )
        self._pieces = pieces
        self._ids = {piece: i for i, piece in enumerate(pieces)}
        self._max_target_tokens = max_target_tokens
        self.precision = precision
        self.threads = threads

    def translate(
        self, sources: Sequence[Sequence[int]], *, batch: int, beam: int
    ) -> list[list[int]]:
        """See `Contestant`."""
        results = self._translator.translate_batch(
            [[self._pieces[i] for i in source] for source in sources],
            beam_size=beam,
            length_penalty=LENGTH_PENALTY,
            max_batch_size=batch,
            max_decoding_length=self._max_target_tokens,
        )
        return [[self._ids[piece] for piece in result.hypotheses[0]] for result in results]
