"""Decodes a list of sentences without a scheduler: for tools, tests and benchmarks."""

from collections import deque
from collections.abc import Iterator, Sequence

from service.engine.batch_decoder import BatchDecoder, Finished
from service.engine.graphs.sessions import Sessions
from service.engine.prefill import DecodeRequest, HandleT, PrefilledSentence
from service.engine.search.options import DecodeOptions, Hypothesis


def decode_stream(
    sessions: Sessions,
    sources: Sequence[Sequence[int]],
    options: DecodeOptions,
    *,
    num_slots: int = 32,
) -> Iterator[tuple[int, tuple[Hypothesis, ...]]]:
    """Decode sentences, longest first, and yield each with its index when it is finished.

    Args:
        sessions: Sessions of the bundle.
        sources: Source ids, end token included.
        options: Shared by all sentences.
        num_slots: Rows of the batch.

    Raises:
        ValueError: The beam is wider than the batch, or a sentence exceeds the bundle's limits.
    """
    decoder: BatchDecoder[int] = BatchDecoder(sessions, num_slots=num_slots)
    yield from decode_with(decoder, sources, options)


def decode_with(
    decoder: BatchDecoder[int], sources: Sequence[Sequence[int]], options: DecodeOptions
) -> Iterator[tuple[int, tuple[Hypothesis, ...]]]:
    """`decode_stream` with an allocated, empty decoder."""
    beam, num_slots = options.beam_size, decoder.num_slots
    if beam > num_slots:
        raise ValueError(f"beam_size is {beam}; the batch has {num_slots} slots")
    # Longest first, so that no long sentence decodes alone at the end.
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]), reverse=True)
    requests = [DecodeRequest(handle=i, source_ids=sources[i], options=options) for i in order]
    for finished in decode_requests(decoder, requests, num_prefilled=num_slots // beam):
        yield finished.handle, finished.hypotheses


def decode_requests(
    decoder: BatchDecoder[HandleT],
    requests: Sequence[DecodeRequest[HandleT]],
    *,
    num_prefilled: int,
) -> Iterator[Finished[HandleT]]:
    """Decode sentences in the order given; the next one joins as soon as its slots are free.

    Args:
        decoder: Empty, with enough slots for the widest beam.
        requests: Sentences to decode.
        num_prefilled: Sentences to encode at once; one by one costs a third more each.
    """
    waiting: deque[PrefilledSentence[HandleT]] = deque()
    num_seen = 0
    while waiting or num_seen < len(requests) or decoder.num_rows:
        if not waiting:
            upcoming = requests[num_seen : num_seen + num_prefilled]
            waiting.extend(decoder.prefill(upcoming).sentences)
            num_seen += len(upcoming)
        while waiting and waiting[0].num_slots <= decoder.free_slots:
            decoder.join([waiting.popleft()])
        yield from decoder.step()


def decode_batch(
    sessions: Sessions,
    sources: Sequence[Sequence[int]],
    options: DecodeOptions,
    *,
    num_slots: int = 32,
) -> list[tuple[Hypothesis, ...]]:
    """Hypotheses of every sentence, in the order of `sources`; see `decode_stream`."""
    results = dict(decode_stream(sessions, sources, options, num_slots=num_slots))
    return [results[i] for i in range(len(sources))]
