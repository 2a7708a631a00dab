"""What texts give alone, side by side in the engine, and through a server: to be compared."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx

from bundle.manifest import LanguagePair
from service.decode_request import decode_options, sentence_options
from service.engine.batch_decoder import BatchDecoder
from service.engine.hypothesis import Hypothesis
from service.engine.options import MAX_BEAM_SIZE, DecodeOptions
from service.engine.preparation import DecodeRequest
from service.engine.sessions import Sessions
from service.source_text import SourceSentence, read_sentences
from service.target_text import TranslatedSentence, assemble
from service.translation import TranslateRequest, Translation

Progress = Callable[[int], object]
"""Told how many texts have been translated since the last time."""

KINDS: tuple[Mapping[str, Any], ...] = (
    {},
    {"details": True},
    {"beam_size": 4, "alternatives": 3, "details": True},
)
"""What clients ask for beside the text: greedy without and with scores, a beam of four."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a client sees of a translation."""

    texts: tuple[str, ...]
    """The translation and its alternatives."""
    finish_reasons: tuple[str, ...] = ()
    """Of each sentence; empty without details, as `scores` is."""
    scores: tuple[float, ...] = ()
    """Of each sentence and of each of its tokens, nats."""

    def is_like(self, other: "Outcome") -> bool:
        """Whether all is equal but the scores."""
        return (self.texts, self.finish_reasons) == (other.texts, other.finish_reasons)

    def score_error(self, other: "Outcome") -> float:
        """Largest difference of two scores, nats; only of outcomes that are alike."""
        pairs = zip(self.scores, other.scores, strict=True)
        return max((abs(one - two) for one, two in pairs), default=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A text and one of `KINDS`."""

    text: str
    kind: int


def shuffled(texts: Sequence[str], *, seed: int) -> list[Asked]:
    """Every text once, in random order, each of a random kind."""
    chance = random.Random(seed)
    asked = [Asked(text=text, kind=chance.randrange(len(KINDS))) for text in texts]
    chance.shuffle(asked)
    return asked


class Company:
    """Translates with the engine, without a server."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._bundle = sessions.bundle
        self.pair = sessions.bundle.manifest.pairs[0]

    def alone(self, texts: Sequence[str], progress: Progress) -> dict[Asked, Outcome]:
        """What every text gives, of every kind, each sentence in a batch of its own."""
        asked = [Asked(text=text, kind=kind) for text in texts for kind in range(len(KINDS))]
        outcomes = self.together(asked, num_sentences=1, progress=progress)
        return dict(zip(asked, outcomes, strict=True))

    def together(
        self, asked: Sequence[Asked], *, num_sentences: int, progress: Progress
    ) -> list[Outcome]:
        """Let sentences join in the order of `asked`, as soon as there is room for one more."""
        read = [read_sentences(one.text, self._bundle, self.pair) for one in asked]
        requests = [
            DecodeRequest(
                key=(i, j),
                source_ids=sentence.source_ids,
                options=sentence_options(options, sentence.source_ids, None),
            )
            for i, (one, sentences) in enumerate(zip(asked, read, strict=True))
            for options in [self._options(one)]
            for j, sentence in enumerate(sentences)
            if sentence.source_ids
        ]
        unfinished = [sum(bool(s.source_ids) for s in sentences) for sentences in read]
        progress(unfinished.count(0))
        found: dict[tuple[int, int], tuple[Hypothesis, ...]] = {}
        for key, hypotheses in _decode(self._sessions, requests, num_sentences):
            found[key] = hypotheses
            unfinished[key[0]] -= 1
            progress(not unfinished[key[0]])
        return [
            self._outcome(one, sentences, [found.get((i, j), ()) for j in range(len(sentences))])
            for i, (one, sentences) in enumerate(zip(asked, read, strict=True))
        ]

    def _options(self, asked: Asked) -> DecodeOptions:
        fields = KINDS[asked.kind]
        request = TranslateRequest(
            texts=(asked.text,),
            source=self.pair.source,
            target=self.pair.target,
            beam_size=fields.get("beam_size"),
            num_alternatives=fields.get("alternatives", 0),
            with_scores=fields.get("details", False),
        )
        return decode_options(request, self._bundle.manifest)

    def _outcome(
        self,
        asked: Asked,
        sentences: Sequence[SourceSentence],
        hypotheses: Sequence[tuple[Hypothesis, ...]],
    ) -> Outcome:
        translated = [
            TranslatedSentence(source=sentence, hypotheses=found)
            for sentence, found in zip(sentences, hypotheses, strict=True)
        ]
        fields = KINDS[asked.kind]
        translation = assemble(
            translated, self._bundle, num_alternatives=fields.get("alternatives", 0)
        )
        return _outcome_of(translation, with_details=fields.get("details", False))


def through_server(
    url: str, pair: LanguagePair, asked: Sequence[Asked], *, num_clients: int, progress: Progress
) -> list[Outcome]:
    """Let `num_clients` share the requests, each sending one at a time."""

    def ask(one: Asked) -> Outcome:
        languages = {"source": pair.source, "target": pair.target}
        content = {"q": one.text, **languages, **KINDS[one.kind]}
        reply = client.post("/translate", json=content)
        assert reply.status_code == httpx.codes.OK, reply.text
        progress(1)
        return _outcome_of_reply(reply.json())

    with httpx.Client(base_url=url, timeout=60) as client, ThreadPoolExecutor(num_clients) as pool:
        return list(pool.map(ask, asked))


def _decode(
    sessions: Sessions, requests: Iterable[DecodeRequest[Any]], num_sentences: int
) -> Iterator[tuple[Any, tuple[Hypothesis, ...]]]:
    decoder: BatchDecoder[Any] = BatchDecoder(sessions, num_slots=num_sentences * MAX_BEAM_SIZE)
    waiting = list(requests)[::-1]
    while waiting or decoder.num_rows:
        room = num_sentences - len(decoder.keys)
        decoder.admit([waiting.pop() for _ in range(min(room, len(waiting)))])
        for finished in decoder.step():
            yield finished.key, finished.hypotheses


def _outcome_of(translation: Translation, *, with_details: bool) -> Outcome:
    sentences = translation.sentences if with_details else ()
    return Outcome(
        texts=(translation.text, *translation.alternatives),
        finish_reasons=tuple(sentence.finish_reason for sentence in sentences),
        scores=tuple(x for s in sentences for x in (s.score, *s.token_log_probs)),
    )


def _outcome_of_reply(reply: Mapping[str, Any]) -> Outcome:
    sentences = reply.get("details", ())
    return Outcome(
        texts=(reply["translatedText"], *reply.get("alternatives", ())),
        finish_reasons=tuple(sentence["finish_reason"] for sentence in sentences),
        scores=tuple(x for s in sentences for x in (s["score"], *s["token_scores"])),
    )
