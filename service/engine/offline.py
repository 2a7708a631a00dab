"""Translates any number of sentences without a scheduler: for tools, tests and benchmarks."""

from collections import deque
from collections.abc import Iterator, Sequence

from service.engine.batch_decoder import BatchDecoder, Finished
from service.engine.graphs.sessions import Sessions
from service.engine.prefill import DecodeRequest, Key, PreparedSentence
from service.engine.search.options import DecodeOptions, Hypothesis


def decode_stream(
    sessions: Sessions,
    sources: Sequence[Sequence[int]],
    options: DecodeOptions,
    *,
    num_slots: int = 32,
) -> Iterator[tuple[int, tuple[Hypothesis, ...]]]:
    """Decode sentences, longest first, and yield each with its index when it has ended.

    Args:
        sessions: What runs the bundle.
        sources: Source ids, end token included.
        options: The same for all.
        num_slots: Rows of the batch.

    Raises:
        ValueError: The beam is wider than the batch, or the bundle cannot hold a sentence.
    """
    decoder: BatchDecoder[int] = BatchDecoder(sessions, num_slots=num_slots)
    yield from decode_with(decoder, sources, options)


def decode_with(
    decoder: BatchDecoder[int], sources: Sequence[Sequence[int]], options: DecodeOptions
) -> Iterator[tuple[int, tuple[Hypothesis, ...]]]:
    """`decode_stream` with a decoder that is already allocated, and empty."""
    beam, num_slots = options.beam_size, decoder.num_slots
    if beam > num_slots:
        raise ValueError(f"beam_size is {beam}; the batch has {num_slots} slots")
    # Longest first: no long sentence is left to finish alone at the end.
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]), reverse=True)
    requests = [DecodeRequest(key=i, source_ids=sources[i], options=options) for i in order]
    for finished in decode_requests(decoder, requests, num_prepared=num_slots // beam):
        yield finished.key, finished.hypotheses


def decode_requests(
    decoder: BatchDecoder[Key], requests: Sequence[DecodeRequest[Key]], *, num_prepared: int
) -> Iterator[Finished[Key]]:
    """Decode sentences in the order given; who comes next joins as soon as a slot is free.

    Args:
        decoder: Empty, and with slots enough for the widest beam.
        requests: What to decode.
        num_prepared: Sentences that are encoded at once: one by one costs a third more for each.
    """
    waiting: deque[PreparedSentence[Key]] = deque()
    num_seen = 0
    while waiting or num_seen < len(requests) or decoder.num_rows:
        if not waiting:
            coming = requests[num_seen : num_seen + num_prepared]
            waiting.extend(decoder.prepare(coming).sentences)
            num_seen += len(coming)
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
