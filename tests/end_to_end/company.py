"""What texts give alone, side by side, and through a server: to be compared."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

from bundle.manifest import LanguagePair
from service.models.loaded_model import RegistryOptions
from service.models.registry import Registry
from service.observability.metrics import Metrics
from service.scheduling.scheduler import SchedulerOptions
from service.translation.translator import Translator
from service.translation.values import TranslateRequest, Translation

Progress = Callable[[int], object]
"""Told how many texts have been translated since the last time."""

KINDS: tuple[Mapping[str, Any], ...] = (
    {},
    {"details": True},
    {"beam_size": 4, "alternatives": 3, "details": True},
    {"no_repeat_ngram_size": 3, "min_target_tokens": 5, "details": True},
)
"""What clients ask for beside the text: greedy without and with scores, a beam of four, rules."""
NUM_SLOTS = 256
"""Of the batch: room for 32 beams at once."""


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
    """Translates with everything of the service but its server."""

    def __init__(self, folder: Path) -> None:
        metrics, options = Metrics(), SchedulerOptions(num_workers=1, slots_per_worker=NUM_SLOTS)
        self._registry = Registry.open([folder], RegistryOptions(scheduler=options), metrics)
        self._translator = Translator(self._registry, metrics)
        self.pair = self._registry.models[0].bundle.manifest.pairs[0]

    def __enter__(self) -> Self:
        self._registry.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._translator.close()
        self._registry.close()

    def alone(self, texts: Sequence[str], progress: Progress) -> dict[Asked, Outcome]:
        """The output of every text, of every kind, decoded alone."""
        asked = [Asked(text=text, kind=kind) for text in texts for kind in range(len(KINDS))]
        outcomes = self.together(asked, num_texts=1, progress=progress)
        return dict(zip(asked, outcomes, strict=True))

    def together(
        self, asked: Sequence[Asked], *, num_texts: int, progress: Progress
    ) -> list[Outcome]:
        """Translate in the order of `asked`, `num_texts` at a time; each that ends makes room."""
        return asyncio.run(self._together(asked, num_texts, progress))

    async def _together(
        self, asked: Sequence[Asked], num_texts: int, progress: Progress
    ) -> list[Outcome]:
        outcomes: dict[int, Outcome] = {}
        remaining = iter(enumerate(asked))

        async def lane() -> None:
            for index, one in remaining:
                outcomes[index] = await self._translate(one)
                progress(1)

        await asyncio.gather(*(lane() for _ in range(num_texts)))
        return [outcomes[index] for index in range(len(asked))]

    async def _translate(self, asked: Asked) -> Outcome:
        fields = KINDS[asked.kind]
        request = TranslateRequest(
            texts=(asked.text,),
            source=self.pair.source,
            target=self.pair.target,
            beam_size=fields.get("beam_size"),
            no_repeat_ngram_size=fields.get("no_repeat_ngram_size", 0),
            min_target_tokens=fields.get("min_target_tokens"),
            num_alternatives=fields.get("alternatives", 0),
            with_scores=fields.get("details", False),
        )
        result = await self._translator.translate(request)
        return _outcome_of(result.translations[0], with_details=fields.get("details", False))


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
