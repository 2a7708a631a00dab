"""The tiny bundle's sessions, sentences in its toy language, and what each of them gives alone."""

from functools import cache

from bundle.reader import Bundle
from service.engine.batch_decoder import BatchDecoder
from service.engine.graphs.sessions import Sessions, open_sessions
from service.engine.prefill import DecodeRequest
from service.engine.search.options import DecodeOptions, Hypothesis
from tests.data.toy_language import sentence_pairs
from tests.service.tiny_models import tiny_bundle


@cache
def tiny() -> Bundle:
    return tiny_bundle()


LIMIT = tiny().manifest.max_target_tokens
POISONED = (5, tiny().manifest.architecture.vocab_size, 3)
"""A source with an id that has no embedding: the encoder's graph fails on it."""
GREEDY = DecodeOptions(max_target_tokens=LIMIT)
BEAM = DecodeOptions(beam_size=4, num_hypotheses=4, max_target_tokens=LIMIT)
EVERY_KIND = (
    GREEDY,
    BEAM,
    DecodeOptions(max_target_tokens=LIMIT, with_scores=False),
    DecodeOptions(max_target_tokens=7),
    DecodeOptions(beam_size=2, length_penalty=0.0, max_target_tokens=LIMIT),
    DecodeOptions(beam_size=3, num_hypotheses=2, length_penalty=1.5, max_target_tokens=9),
    DecodeOptions(beam_size=8, num_hypotheses=5, max_target_tokens=1),
    DecodeOptions(min_target_tokens=14, no_repeat_ngram=2, max_target_tokens=LIMIT),
    DecodeOptions(beam_size=3, min_target_tokens=14, no_repeat_ngram=1, max_target_tokens=LIMIT),
    DecodeOptions(prefix_ids=(300, 301), max_target_tokens=LIMIT, with_scores=False),
    DecodeOptions(beam_size=4, num_hypotheses=2, prefix_ids=(300,), max_target_tokens=LIMIT),
    # What is dictated loops, so that they are decoded twice.
    DecodeOptions(prefix_ids=(300,) * 9, max_loop_tokens=4, max_target_tokens=LIMIT),
    DecodeOptions(beam_size=3, prefix_ids=(300,) * 9, max_loop_tokens=4, max_target_tokens=LIMIT),
)


@cache
def tiny_sessions() -> Sessions:
    return open_sessions(tiny())


@cache
def tiny_sources(count: int = 40) -> tuple[tuple[int, ...], ...]:
    """Sentences of very different lengths, the same at every call."""
    bundle = tiny()
    pair = bundle.manifest.pairs[0]
    texts = [source for source, _ in sentence_pairs(count, seed=7)]
    return tuple(tuple(bundle.tokenizer.encode_source(text, pair)) for text in texts)


@cache
def alone(source_ids: tuple[int, ...], options: DecodeOptions) -> tuple[Hypothesis, ...]:
    """What a sentence gives in a batch of its own."""
    decoder: BatchDecoder[str] = BatchDecoder(tiny_sessions(), num_slots=options.beam_size)
    request = DecodeRequest(handle="only", source_ids=source_ids, options=options)
    decoder.join(decoder.prefill([request]).sentences)
    for _ in range(options.max_target_tokens):
        for finished in decoder.step():
            return finished.hypotheses
    raise AssertionError("a search went on beyond its limit")
