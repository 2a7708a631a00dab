"""Translates any number of sentences without a scheduler: for tools, tests and benchmarks."""

from collections.abc import Iterator, Sequence

from service.engine.batch_decoder import BatchDecoder, DecodeRequest
from service.engine.hypothesis import Hypothesis
from service.engine.options import DecodeOptions
from service.engine.sessions import Sessions

REFILL_SHARE = 4
"""A batch is refilled when this part of its slots is free: encoding several sentences at once
costs a quarter less than one by one, a step over fewer rows hardly more for each."""


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
    waiting = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    while waiting or decoder.num_rows:
        if decoder.free_slots >= max(beam, num_slots // REFILL_SHARE):
            count = min(len(waiting), decoder.free_slots // beam)
            admitted = [waiting.pop() for _ in range(count)]
            decoder.admit(
                [DecodeRequest(key=i, source_ids=sources[i], options=options) for i in admitted]
            )
        for finished in decoder.step():
            yield finished.key, finished.hypotheses


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
