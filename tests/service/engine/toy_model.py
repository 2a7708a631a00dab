"""Next-token distributions that depend on the whole prefix, and plain searches over them."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.engine.search.beam import LOOKAHEAD_TOKENS, BeamSearch
from service.engine.search.continuations import best_tokens
from service.engine.search.greedy import GreedySearch
from service.engine.search.logits_processors import MASKED
from service.engine.search.options import DecodeOptions, FinishReason, Hypothesis
from service.engine.search.outcome import Hypotheses
from service.engine.search.ranking import length_normalised
from service.engine.search.trace import NUM_TRACED
from tests.service.engine.search.plain_search import (
    Continuation,
    PlainBeam,
    PlainGreedy,
    Restart,
    Survivors,
    begin,
    ranked_continuations,
)

EOS = 0
Prefix = tuple[int, ...]
Model = Callable[[Prefix], NDArray[np.float32]]
"""Log-probabilities of every token after a prefix, float32 [vocab]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomModel:
    """A different distribution after every prefix; a coarse one has many ties."""

    seed: int
    vocab_size: int
    is_coarse: bool = False
    eos_bias: float = 0.0
    """Added to the logit of the end: the lower, the longer the sentences."""

    def __call__(self, prefix: Prefix) -> NDArray[np.float32]:
        random = np.random.default_rng([self.seed, len(prefix), *prefix])
        logits = 2 * random.standard_normal(self.vocab_size)
        logits[EOS] += self.eos_bias
        return normalised(np.round(logits) if self.is_coarse else logits)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableModel:
    """Probabilities written down for each prefix; after any other the sentence ends."""

    table: dict[Prefix, tuple[float, ...]]

    def __call__(self, prefix: Prefix) -> NDArray[np.float32]:
        vocab_size = len(self.table[()])
        certain = (1.0,) + (1e-30,) * (vocab_size - 1)
        probabilities = np.array(self.table.get(prefix, certain), dtype=np.float64)
        return np.asarray(np.log(probabilities), dtype=np.float32)


A, B = 1, 2
GARDEN_PATH = TableModel(
    table={
        (): (0.0625, 0.5, 0.4375),
        (A,): (0.25, 0.375, 0.375),
        (A, A): (1.0, 1e-30, 1e-30),
        (B,): (0.875, 0.0625, 0.0625),
    }
)
"""Greedily A comes first, but nothing good follows: `B` alone is 0.383, `A A` only 0.1875."""
LOOPING = TableModel(
    table={
        **{(A,) * n: (0.1, 0.6, 0.3) for n in range(40)},
        **{(A,) * n + (B,): (0.9, 0.05, 0.05) for n in range(40)},
    }
)
"""A follows on A for as long as it may; an end follows on B."""


def normalised(logits: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(logits - np.log(np.exp(logits).sum()), dtype=np.float32)


def run_greedy(model: Model, options: DecodeOptions) -> Hypothesis:
    """The result of greedy search for one sentence."""
    search = GreedySearch(EOS)
    search.begin(options)
    prefix: Prefix = ()
    while True:
        finished, (prefix,) = greedy_step(search, [model], [prefix])
        if finished:
            ((hypothesis,),) = finished.values()
            return hypothesis


def greedy_step(
    search: GreedySearch, models: Sequence[Model], prefixes: list[Prefix]
) -> tuple[dict[int, Hypotheses], list[Prefix]]:
    """One step of every sentence of a search, as the decoder takes it: results, and prefixes."""
    log_probs = np.stack([model(prefix) for model, prefix in zip(models, prefixes, strict=True)])
    tokens = log_probs.argmax(axis=1)
    for index in {*search.restricted(), *search.ending_too_early(tokens)}:
        scores = log_probs[index].copy()
        search.restrict(index, scores)
        if not search.may_end(index):
            scores[EOS] = MASKED
        tokens[index] = scores.argmax()
    chosen: list[float] = log_probs[np.arange(len(tokens)), tokens].tolist()
    best = best_tokens(log_probs, NUM_TRACED) if search.is_traced else None
    step = search.advance(tokens.tolist(), chosen if search.num_candidates else None, best)
    longer = [(*p, t) for p, t in zip(prefixes, tokens.tolist(), strict=True)]
    return step.finished, [() if i in step.restarted else p for i, p in enumerate(longer)]


def run_beam(
    model: Model, options: DecodeOptions, lookahead: int = LOOKAHEAD_TOKENS
) -> tuple[Hypotheses, int]:
    """The result of beam search for one sentence, and the number of steps that it took."""
    beam, longest = options.beam_size, options.max_target_tokens
    search = BeamSearch(1, longest, EOS, beam_size=beam, lookahead=lookahead)
    search.begin(options)
    beams: list[list[Prefix]] = [[()]]
    for num_steps in itertools.count(1):
        finished, beams = beam_step(search, [model], beams)
        if finished:
            return finished[0], num_steps
    raise AssertionError


def beam_step(
    search: BeamSearch, models: Sequence[Model], beams: list[list[Prefix]]
) -> tuple[dict[int, Hypotheses], list[list[Prefix]]]:
    """One step of every sentence of a search, as the decoder takes it: results, and prefixes."""
    assert search.num_live.tolist() == [len(prefixes) for prefixes in beams]
    restricted = search.restricted()
    candidates = len(models[0](()))
    log_probs = np.full((len(beams), search.beam_size, candidates), -0.5, dtype=np.float32)
    ids = np.full(log_probs.shape, EOS)  # tokens after empty places are anything
    for index, (model, prefixes) in enumerate(zip(models, beams, strict=True)):
        scores = np.stack([model(prefix) for prefix in prefixes])
        if index in restricted:
            search.restrict(index, scores)
        places = slice(len(prefixes))
        log_probs[index, places], ids[index, places] = best_tokens(scores, candidates)
    step = search.advance(log_probs, ids)
    survivors = [
        [
            (*prefixes[parent], token)
            for parent, token in zip(parents[:live], tokens[:live], strict=True)
        ]
        for prefixes, parents, tokens, live in zip(
            beams, step.parents.tolist(), step.tokens.tolist(), step.num_live.tolist(), strict=True
        )
    ]
    return step.outcome.finished, [
        [()] if index in step.outcome.restarted else prefixes
        for index, prefixes in enumerate(survivors)
    ]


def plain_search(
    model: Model, options: DecodeOptions, lookahead: int = LOOKAHEAD_TOKENS
) -> tuple[Hypotheses, int]:
    """The result of the plain search of one sentence, and the number of steps that it took."""
    search = begin(options, EOS, lookahead=lookahead)
    prefixes: list[Prefix] = [()]
    for num_steps in itertools.count(1):
        outcome: Hypotheses | Restart | Survivors
        if isinstance(search, PlainGreedy):
            outcome = _plain_greedy_step(search, model, prefixes[0])
        else:
            outcome = search.advance(_ranked(search, [model(prefix) for prefix in prefixes]))
        if isinstance(outcome, tuple):
            return outcome, num_steps
        if isinstance(outcome, Restart):
            search, prefixes = begin(outcome.options, EOS, is_retry=True), [()]
        else:
            chosen = zip(outcome.parents, outcome.tokens, strict=True)
            prefixes = [(*prefixes[parent], token) for parent, token in chosen]
    raise AssertionError


def _plain_greedy_step(
    search: PlainGreedy, model: Model, prefix: Prefix
) -> Hypotheses | Restart | Survivors:
    log_probs = model(prefix)
    scores = log_probs.copy()[None]
    if search.is_restricted:
        search.restrict(scores)
    token = int(scores.argmax())
    if token == EOS and not search.may_end:
        scores[0, EOS] = MASKED
        token = int(scores.argmax())
    outcome = search.advance(token, float(log_probs[token]) if search.num_candidates else None)
    return Survivors(parents=[0], tokens=[token]) if outcome is None else outcome


def _ranked(search: PlainBeam, rows: list[NDArray[np.float32]]) -> list[Continuation]:
    """What the decoder hands to one search, of all tokens and not only of the best."""
    scores = np.stack(rows)
    if search.is_restricted:
        search.restrict(scores)
    ranked, ids = best_tokens(scores, scores.shape[1])
    before, count = np.array([search.log_probs]), search.num_candidates
    return ranked_continuations(ranked[None], ids[None], before, count)[0]


def patient_beam(model: Model, options: DecodeOptions) -> tuple[Hypothesis, ...]:
    """Beam search by sorting everything, which never stops early for a bound."""
    beam, wanted = options.beam_size, options.num_hypotheses
    live: list[tuple[Prefix, tuple[float, ...]]] = [((), ())]
    finished: list[Hypothesis] = []
    for _ in range(options.max_target_tokens):
        ranked = sorted(_continuations(model, live), key=lambda c: -c[0])[: 2 * beam]
        finished += [
            hypothesis_of(ids, steps, "stop", options)
            for _, ids, steps, token in ranked[:beam]
            if token == EOS
        ]
        live = [((*ids, t), steps) for _, ids, steps, t in ranked if t != EOS][:beam]
        if not live:
            break
    cut_off = [hypothesis_of(ids, steps, "length", options) for ids, steps in live]
    return tuple([*best_first(finished)[:wanted], *best_first(cut_off)][:wanted])


def exhaustive(model: Model, options: DecodeOptions) -> list[Hypothesis]:
    """Every sentence that ends within the limit, best first."""
    found = []
    waiting: list[tuple[Prefix, tuple[float, ...]]] = [((), ())]
    while waiting:
        prefix, steps = waiting.pop()
        log_probs = model(prefix).tolist()
        found.append(hypothesis_of(prefix, (*steps, log_probs[EOS]), "stop", options))
        if len(prefix) + 1 < options.max_target_tokens:
            waiting += [
                ((*prefix, token), (*steps, log_prob))
                for token, log_prob in enumerate(log_probs)
                if token != EOS
            ]
    return best_first(found)


def hypothesis_of(
    ids: Prefix, steps: tuple[float, ...], reason: FinishReason, options: DecodeOptions
) -> Hypothesis:
    return Hypothesis(
        target_ids=ids,
        token_log_probs=steps,
        finish_reason=reason,
        has_ended=reason == "stop",
        score=length_normalised(sum(steps), len(steps), options.length_penalty),
    )


def best_first(hypotheses: list[Hypothesis]) -> list[Hypothesis]:
    return sorted(hypotheses, key=lambda h: h.score, reverse=True)


def _continuations(
    model: Model, live: list[tuple[Prefix, tuple[float, ...]]]
) -> Iterator[tuple[float, Prefix, tuple[float, ...], int]]:
    """Sum, prefix, log-probabilities and last token of each, in the order that breaks ties."""
    for ids, steps in live:
        for token, log_prob in enumerate(model(ids)):
            yield float(log_prob) + sum(steps), ids, (*steps, float(log_prob)), token
