"""Beam search for all sentences of one beam size at once.

Every step keeps the best hypotheses of each sentence and prunes those that cannot win.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.search.continuations import (
    DEAD,
    Continuations,
    best_continuations,
    without_ends,
)
from service.engine.search.logits_processors import MASKED, process_all
from service.engine.search.options import DecodeOptions, FinishReason, Hypothesis
from service.engine.search.outcome import (
    Hypotheses,
    SearchStep,
    is_loop,
    may_end,
    next_check,
    options_without_loops,
)
from service.engine.search.ranking import length_normalised, reach_penalties
from service.engine.search.sentences import Sentences
from service.engine.search.trace import (
    NUM_TRACED,
    Candidate,
    Ranked,
    SearchTrace,
    StopReason,
    beam_step,
)

LOOKAHEAD_TOKENS = 3
"""Tokens that a live prefix is assumed to still need at most, in the bound that decides whether it
can win. Without a length penalty the bound does not depend on it; docs/decisions/0014."""


class BeamStep(NamedTuple):
    """The hypotheses that take another step, in their order from now on."""

    parents: NDArray[np.int64]
    """Place of the hypothesis that each of them extends, int64 [sentences, beam]."""
    tokens: NDArray[np.int64]
    """The token that each of them appends: the decoder's next input, int64 [sentences, beam]."""
    num_live: NDArray[np.int64]
    """How many there are; later places are empty, int64 [sentences]."""
    outcome: SearchStep


class _Ended(NamedTuple):
    """A finished hypothesis, which is read back from the history only if it is returned."""

    score: float
    length: int
    """Tokens, the end token included."""
    place: int
    """Place of the hypothesis that the end token extended."""
    token_log_prob: float
    """Log-probability of the end token, nats."""


class BeamSearch:
    """The searches of all sentences that keep the `beam_size` best prefixes.

    Of the 2 x beam best continuations of a sentence, those that end it and rank within the beam are
    finished; the best of the rest stay live, in places `0 .. num_live - 1`. Prefixes that can no
    longer beat a finished hypothesis are pruned, and their rows become free.
    """

    def __init__(
        self,
        num_sentences: int,
        max_target_tokens: int,
        eos_id: int,
        *,
        beam_size: int,
        lookahead: int = LOOKAHEAD_TOKENS,
    ) -> None:
        """Allocate the state.

        Args:
            num_sentences: Most sentences at a time.
            max_target_tokens: Most tokens of an output.
            eos_id: The end token.
            beam_size: Hypotheses that each of them keeps.
            lookahead: See `LOOKAHEAD_TOKENS`.
        """
        self.beam_size = beam_size
        self._eos_id = eos_id
        self._lookahead = lookahead
        self._log_probs = np.full((num_sentences, beam_size), DEAD)
        """Sum of each live prefix, nats, best first, float64 [sentences, beam]; `DEAD` beyond."""
        self._num_live = np.zeros(num_sentences, dtype=np.int64)
        """Live prefixes, int64 [sentences]."""
        self._bars = np.zeros(num_sentences)
        """Score that a prefix must still be able to exceed, float64 [sentences]."""
        self._penalties = np.zeros((num_sentences, max_target_tokens + 1))
        """`reach_penalties` of the sentence, float64 [sentences, target + 1]."""
        shape = (num_sentences, max_target_tokens, beam_size)
        self._parents = np.zeros(shape, dtype=np.int16)
        """Place of each hypothesis one token before, int16 [sentences, target, beam]."""
        self._tokens = np.zeros(shape, dtype=np.int32)
        """The token it appended then, int32 [sentences, target, beam]."""
        self._token_log_probs = np.zeros(shape, dtype=np.float32)
        """Log-probability of that token, nats, float32 [sentences, target, beam]."""
        self._ended: list[list[_Ended]] = []
        """Finished hypotheses of each sentence, best first."""
        self._traces: dict[int, list[tuple[Candidate, ...]]] = {}
        """The candidates of every step so far, of the sentences that are traced, by index."""
        state = (self._log_probs, self._num_live, self._bars, self._penalties)
        history = (self._parents, self._tokens, self._token_log_probs)
        self._sentences = Sentences(num_sentences, (*state, *history))
        self._places = np.arange(num_sentences)

    @property
    def num_sentences(self) -> int:
        """Sentences that take the next step."""
        return len(self._sentences.asked)

    @property
    def num_candidates(self) -> int:
        """Continuations that `advance` needs: with half of them ended, a whole beam is left."""
        if not self._sentences.asked:
            return 0
        return max(2 * self.beam_size, NUM_TRACED if self._traces else 0)

    @property
    def num_live(self) -> NDArray[np.int64]:
        """Prefixes of each sentence that take the next step, int64 [sentences]."""
        return self._num_live[: len(self._sentences.asked)]

    @property
    def log_probs(self) -> NDArray[np.float64]:
        """Sum of each live prefix, nats, float64 [sentences, beam]; `DEAD` beyond."""
        return self._log_probs[: len(self._sentences.asked)]

    def begin(self, options: DecodeOptions) -> int:
        """Add a sentence; its index until another one leaves."""
        index = self._sentences.add(options)
        self._ended.append([])
        self._begin(index)
        return index

    def remove(self, index: int) -> None:
        """Remove a sentence; the last one takes its index."""
        self._sentences.remove(index)
        self._ended[index] = self._ended[-1]
        self._ended.pop()
        self._traces.pop(index, None)
        if (last := self._traces.pop(len(self._ended), None)) is not None:
            self._traces[index] = last

    def clear(self) -> None:
        """Remove all sentences."""
        self._sentences.clear()
        self._ended.clear()
        self._traces.clear()

    def restricted(self) -> list[int]:
        """Sentences for which `restrict` must see the scores of the coming step."""
        return self._sentences.restricted()

    def restrict(self, index: int, scores: NDArray[np.float32]) -> None:
        """Mask the tokens of a sentence that may not come next, in place, float32 [live, vocab]."""
        rules, length = self._sentences.asked[index].rules, int(self._sentences.lengths[index])
        for place, row in enumerate(scores):
            process_all(rules, row, self._unwind(index, length, place)[0])

    def advance(self, log_probs: NDArray[np.float32], ids: NDArray[np.int64]) -> BeamStep:
        """Extend the best prefixes of every sentence by one token.

        Args:
            log_probs: The `num_candidates` best tokens after each live prefix, best first, nats,
                float32 [sentences, beam, candidates]; any finite number where none is live.
            ids: Those tokens, int64 [sentences, beam, candidates].
        """
        count = len(self._sentences.asked)
        lengths = self._sentences.lengths[:count]
        traced = self._rank_traced(log_probs, ids)
        ranked = best_continuations(log_probs, ids, self.log_probs, 2 * self.beam_size)
        is_end = ranked.tokens == self._eos_id
        ends = is_end[:, : self.beam_size].nonzero()
        if len(ends[0]):
            self._end(ranked, *ends)
            kept = without_ends(ranked, is_end, self.beam_size)
        else:
            kept = ranked.first(self.beam_size)
        num_live = self._num_winnable(kept.log_probs, lengths + 1)
        for index, candidates in traced.items():
            self._trace(index, candidates, int(num_live[index]))
        outcome = SearchStep()
        for index in (num_live == 0).nonzero()[0].tolist():
            if self._ended[index]:
                self._num_live[index] = 0  # else rules leave no token: the prefixes are the result
            stop: StopReason = "overtaken" if self._ended[index] else "no_token"
            outcome.finished[index] = self._result(index, stop)
        self._keep(kept, num_live)
        is_due = lengths >= self._sentences.next_checks[:count]
        for index in is_due.nonzero()[0].tolist():
            if index not in outcome.finished:
                self._look_at(index, outcome)
        return BeamStep(kept.parents, kept.tokens, self.num_live, outcome)

    def _begin(self, index: int) -> None:
        options = self._sentences.asked[index].options
        self._log_probs[index] = DEAD
        self._log_probs[index, 0] = 0
        self._num_live[index] = 1
        self._bars[index] = -np.inf
        longest = options.max_target_tokens
        self._penalties[index, : longest + 1] = reach_penalties(
            longest, options.length_penalty, self._lookahead
        )
        self._ended[index] = []
        if options.with_trace:
            self._traces[index] = []

    def _end(
        self, ranked: Continuations, sentences: NDArray[np.int64], ranks: NDArray[np.int64]
    ) -> None:
        """Note the hypotheses that end: sentence and rank of each, int64 [ended]."""
        for index, rank in zip(sentences.tolist(), ranks.tolist(), strict=True):
            log_prob = float(ranked.log_probs[index, rank])
            length = int(self._sentences.lengths[index]) + 1
            options = self._sentences.asked[index].options
            # Too early an end is skipped: enough other continuations are left.
            if log_prob > MASKED and may_end(length, options):
                ended = _Ended(
                    length_normalised(log_prob, length, options.length_penalty),
                    length,
                    int(ranked.parents[index, rank]),
                    float(ranked.token_log_probs[index, rank]),
                )
                self._rank(index, ended, options.num_hypotheses)

    def _rank(self, index: int, ended: _Ended, num_wanted: int) -> None:
        finished = self._ended[index]
        finished.append(ended)
        finished.sort(key=lambda e: e.score, reverse=True)
        if len(finished) >= num_wanted:
            self._bars[index] = finished[num_wanted - 1].score

    def _num_winnable(
        self, log_probs: NDArray[np.float64], lengths: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Prefixes of which an extension could be among the returned hypotheses, the first ones.

        Args:
            log_probs: Sum of each prefix, best first, float64 [sentences, beam].
            lengths: Their tokens, int64 [sentences].
        """
        may_win = log_probs > MASKED
        if any(self._ended):
            may_win &= self._may_overtake(log_probs, lengths)
        return np.asarray(may_win.sum(axis=1))

    def _may_overtake(
        self, log_probs: NDArray[np.float64], lengths: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Which prefixes may beat what has finished, bool [sentences, beam]."""
        count = len(lengths)
        reachable = log_probs / self._penalties[self._places[:count], lengths][:, None]
        return np.asarray(reachable > self._bars[:count, None])

    def _keep(self, kept: Continuations, num_live: NDArray[np.int64]) -> None:
        """Make the first `num_live` continuations of each sentence its prefixes."""
        count = len(num_live)
        places, lengths = self._places[:count], self._sentences.lengths[:count]
        self._parents[places, lengths] = kept.parents
        self._tokens[places, lengths] = kept.tokens
        self._token_log_probs[places, lengths] = kept.token_log_probs
        lengths += 1
        self._num_live[:count] = num_live
        is_live = np.arange(self.beam_size) < num_live[:, None]
        self._log_probs[:count] = np.where(is_live, kept.log_probs, DEAD)

    def _look_at(self, index: int, outcome: SearchStep) -> None:
        """End a sentence or begin it again, if that is due."""
        sentences, options = self._sentences, self._sentences.asked[index].options
        length = int(sentences.lengths[index])
        if length >= options.max_target_tokens:
            outcome.finished[index] = self._result(index, "length")
            self._num_live[index] = 0
        elif is_loop(self._unwind(index, length, 0)[0], options):
            sentences.restart(index, options_without_loops(options))
            self._begin(index)
            outcome.restarted.append(index)
        else:
            sentences.next_checks[index] = next_check(length, options)

    def _rank_traced(
        self, log_probs: NDArray[np.float32], ids: NDArray[np.int64]
    ) -> dict[int, Ranked]:
        """The best continuations of the sentences that are traced, more than the search needs."""
        found: dict[int, Ranked] = {}
        for index in self._traces:
            one = slice(index, index + 1)
            ranked = best_continuations(
                log_probs[one], ids[one], self._log_probs[one], max(2 * self.beam_size, NUM_TRACED)
            )
            found[index] = Ranked(
                ranked.parents[0], ranked.tokens[0], ranked.token_log_probs[0], ranked.log_probs[0]
            )
        return found

    def _trace(self, index: int, ranked: Ranked, num_live: int) -> None:
        """Note what became of the candidates of a step, before their prefixes are kept."""
        options = self._sentences.asked[index].options
        length = int(self._sentences.lengths[index]) + 1
        ranked = ranked.first(int((ranked.log_probs > MASKED).sum()))
        ends = (ranked.tokens[: self.beam_size] == self._eos_id).nonzero()[0].tolist()
        scores = {
            rank: length_normalised(float(ranked.log_probs[rank]), length, options.length_penalty)
            for rank in ends
            if may_end(length, options)
        }
        step = beam_step(
            ranked, scores, eos_id=self._eos_id, beam_size=self.beam_size, num_live=num_live
        )
        self._traces[index].append(step)

    def _result(self, index: int, stop: StopReason) -> Hypotheses:
        """The best finished hypotheses, filled up with cut-off prefixes where there are too few."""
        wanted = self._sentences.asked[index].options.num_hypotheses
        finished = [self._finished(index, ended) for ended in self._ended[index][:wanted]]
        cut_off = [self._cut_off(index, place) for place in range(int(self._num_live[index]))]
        best, *others = [*finished, *cut_off][:wanted]
        if index in self._traces:
            best = replace(best, trace=SearchTrace(steps=tuple(self._traces[index]), stop=stop))
        return (best, *others)

    def _finished(self, index: int, ended: _Ended) -> Hypothesis:
        ids, log_probs = self._unwind(index, ended.length - 1, ended.place)
        log_probs.append(ended.token_log_prob)
        return self._hypothesis(index, ids, log_probs, "stop", ended.score)

    def _cut_off(self, index: int, place: int) -> Hypothesis:
        options, length = self._sentences.asked[index].options, int(self._sentences.lengths[index])
        ids, log_probs = self._unwind(index, length, place)
        log_prob = float(self._log_probs[index, place])
        score = length_normalised(log_prob, length, options.length_penalty)
        return self._hypothesis(index, ids, log_probs, "length", score)

    def _hypothesis(
        self, index: int, ids: list[int], log_probs: list[float], reason: FinishReason, score: float
    ) -> Hypothesis:
        return Hypothesis(
            target_ids=tuple(ids),
            token_log_probs=tuple(log_probs),
            finish_reason="repetition" if self._sentences.asked[index].is_retry else reason,
            has_ended=reason == "stop",
            score=score,
        )

    def _unwind(self, index: int, length: int, place: int) -> tuple[list[int], list[float]]:
        """Tokens and scores of the hypothesis that stood in a place after `length` tokens."""
        parents: list[list[int]] = self._parents[index, :length].tolist()
        places = [0] * length
        for position in range(length - 1, -1, -1):
            places[position] = place
            place = parents[position][place]
        chosen = (np.arange(length), places)
        return self._tokens[index][chosen].tolist(), self._token_log_probs[index][chosen].tolist()
