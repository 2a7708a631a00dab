"""Pellucid's engine on a bundle: the batch decoder alone, or behind the service's scheduler."""

from collections.abc import Sequence

from benchmarks.contestants.interface import LENGTH_PENALTY, Contestant, Engine, Request, Threads
from bundle.reader import read_bundle
from service.engine.batch_decoder import BatchDecoder
from service.engine.graphs.sessions import Sessions, open_sessions
from service.engine.offline import decode_requests
from service.engine.prefill import DecodeRequest
from service.engine.search.options import DecodeOptions
from service.observability.metrics import Metrics
from service.scheduling.job import Job
from service.scheduling.limits import AdmissionLimits
from service.scheduling.scheduler import Scheduler, SchedulerOptions
from service.scheduling.single_flight import SharingOptions

_UNLIMITED = 1_000_000_000


def open_contestant(contestant: Contestant, threads: Threads) -> Engine:
    """Open the sessions of the bundle."""
    sessions = open_sessions(read_bundle(contestant.folder), num_threads=threads.intra)
    if contestant.mode == "serving":
        return Served(sessions, num_engines=threads.inter)
    return Batched(sessions)


class Batched:
    """One batch decoder, fed with the longest sentences first."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._decoders: dict[int, BatchDecoder[int]] = {}

    def translate(
        self, requests: Sequence[Request], *, batch: int, beam: int
    ) -> list[tuple[int, ...]]:
        """See `Engine`."""
        order = sorted(range(len(requests)), key=lambda i: len(requests[i].source_ids))
        asked = [_decode_request(i, requests[i], beam) for i in reversed(order)]
        decoder = self._decoder(batch * beam)
        finished = decode_requests(decoder, asked, num_prefilled=batch)
        results = {f.handle: f.hypotheses[0].target_ids for f in finished}
        return [results[i] for i in range(len(requests))]

    def close(self) -> None:
        """See `Engine`."""
        self._decoders.clear()

    def _decoder(self, num_slots: int) -> BatchDecoder[int]:
        """As in the service, the cache is allocated once."""
        if num_slots not in self._decoders:
            self._decoders[num_slots] = BatchDecoder(self._sessions, num_slots=num_slots)
        return self._decoders[num_slots]


class Served:
    """The service's scheduler and engine processes: all sentences wait from the start, in order.

    Every engine has as many slots as in the service, whatever the batch size of the others.
    """

    def __init__(self, sessions: Sessions, *, num_engines: int) -> None:
        options = SchedulerOptions(
            num_engines=num_engines,
            limits=AdmissionLimits(max_queued_jobs=_UNLIMITED, max_queued_tokens=_UNLIMITED),
            sharing=SharingOptions(shares_runs=False),  # others run every sentence as well
        )
        self._scheduler = Scheduler(sessions, options, Metrics())
        self._scheduler.start()

    def translate(
        self, requests: Sequence[Request], *, batch: int, beam: int
    ) -> list[tuple[int, ...]]:
        """See `Engine`."""
        del batch  # of no interest to a batch that is refilled
        jobs = [Job(source_ids=r.source_ids, options=_options(r, beam)) for r in requests]
        futures = [self._scheduler.submit(job) for job in jobs]
        return [future.result().hypotheses[0].target_ids for future in futures]

    def close(self) -> None:
        """See `Engine`."""
        self._scheduler.close()


def _decode_request(key: int, request: Request, beam: int) -> DecodeRequest[int]:
    options = _options(request, beam)
    return DecodeRequest(handle=key, source_ids=request.source_ids, options=options)


def _options(request: Request, beam: int) -> DecodeOptions:
    return DecodeOptions(
        beam_size=beam,
        length_penalty=LENGTH_PENALTY,
        max_target_tokens=request.max_target_tokens,
        min_target_tokens=request.min_target_tokens,
        with_scores=False,
    )
