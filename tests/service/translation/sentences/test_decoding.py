import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from service.errors import InvalidRequestError
from service.scheduling.job import Entry
from service.translation.values import TranslateRequest, TranslateResult, Translation
from tests.service.tiny_models import Running, running


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    with running() as service:
        yield service


def request_of(service: Running, *texts: str) -> TranslateRequest:
    return TranslateRequest(texts=texts, source=service.pair.source, target=service.pair.target)


def run(service: Running, request: TranslateRequest) -> TranslateResult:
    return asyncio.run(service.translator.translate(request))


def one(service: Running, request: TranslateRequest) -> Translation:
    (translation,) = run(service, request).translations
    return translation


def sentence_of(service: Running) -> str:
    return service.model.bundle.manifest.canary.source_text.strip()


@pytest.mark.parametrize("beam_size", [1, 4])
def test_a_translation_continues_the_prefix_of_its_own(service: Running, beam_size: int) -> None:
    request = replace(request_of(service, sentence_of(service)), beam_size=beam_size)
    free = one(service, request)
    first, *_ = free.text.split()
    assert one(service, replace(request, prefixes=(first,))).text == free.text
    assert one(service, replace(request, prefixes=(free.text,))).text.startswith(free.text)


@pytest.mark.parametrize("beam_size", [1, 4])
def test_a_translation_begins_with_a_prefix_that_the_model_would_not_choose(
    service: Running, beam_size: int
) -> None:
    words = service.model.bundle.tokenizer.decode_target([300, 301])
    request = replace(
        request_of(service, sentence_of(service)), beam_size=beam_size, prefixes=(words,)
    )
    assert not one(service, replace(request, prefixes=None)).text.startswith(words)
    assert one(service, request).text.startswith(words)


def test_a_prefix_counts_without_its_invisible_characters(service: Running) -> None:
    words = service.model.bundle.tokenizer.decode_target([300, 301])
    request = request_of(service, sentence_of(service))
    plain, found, empty = (
        one(service, replace(request, prefixes=(prefix,))).text
        for prefix in (words, f"\ufeff{words[:1]}\u200d\x07{words[1:]}", "\ufeff")
    )
    assert (found, empty) == (plain, one(service, request).text)


def test_a_prefix_belongs_to_the_first_sentence_of_its_text(service: Running) -> None:
    sentence = sentence_of(service)
    words = service.model.bundle.tokenizer.decode_target([300])
    request = request_of(service, f"{sentence}\n{sentence}", sentence)
    free = run(service, request).translations
    forced = run(service, replace(request, prefixes=(words, ""))).translations
    assert forced[0].text.split("\n")[0].startswith(words)
    assert forced[0].text.split("\n")[1] == free[0].text.split("\n")[1]
    assert forced[1] == free[1]


def test_alternatives_behind_a_prefix_differ_in_the_next_token(service: Running) -> None:
    request = request_of(service, sentence_of(service))
    first, *_ = one(service, request).text.split()
    found = one(service, replace(request, prefixes=(first,), num_alternatives=3))
    texts = [found.text, *found.alternatives]
    assert found.text == one(service, replace(request, prefixes=(first,))).text
    assert len(set(texts)) == len(texts) == 4
    assert all(text.startswith(first) for text in texts)
    tokenizer = service.model.bundle.tokenizer
    length = len(tokenizer.encode_target(first)) - 1
    nexts = [tokenizer.encode_target(text)[length] for text in texts]
    assert len(set(nexts)) == len(nexts)


def test_the_likeliest_next_token_comes_first_even_if_the_end_is_among_the_others(
    service: Running,
) -> None:
    request = request_of(service, "The young horse sees a new man.")
    words = one(service, request).text.split()
    prefixes = [(" ".join(words[:count]),) for count in range(1, len(words))]
    for prefix in prefixes:
        forced = replace(request, prefixes=prefix)
        branched = one(service, replace(forced, num_alternatives=3))
        assert branched.text == one(service, forced).text
    ends = [prefix for prefix in prefixes if prefix[0] in alternatives_of(service, request, prefix)]
    assert ends  # an end was among them, or this would show nothing


def alternatives_of(
    service: Running, request: TranslateRequest, prefixes: tuple[str, ...]
) -> tuple[str, ...]:
    return one(service, replace(request, prefixes=prefixes, num_alternatives=3)).alternatives


def test_no_alternative_is_shorter_than_the_shortest_length(service: Running) -> None:
    request = request_of(service, sentence_of(service))
    free = one(service, request).text
    length = len(service.model.bundle.tokenizer.encode_target(free)) - 1
    forced = replace(request, prefixes=(free,), num_alternatives=3)
    assert one(service, forced).text == free  # it would end right behind the prefix
    longer = one(service, replace(forced, min_target_tokens=length + 5))
    assert len(longer.alternatives) == 3
    assert free not in (longer.text, *longer.alternatives)


def test_more_alternatives_than_a_beam_is_wide_are_as_many_as_there_are(service: Running) -> None:
    request = request_of(service, sentence_of(service))
    found = one(service, replace(request, prefixes=("D",), num_alternatives=50))
    assert len(found.alternatives) == 7


@pytest.mark.parametrize(
    ("texts", "prefixes", "message"),
    [
        (("Hello.",), ("a", "b"), "1 texts, but 2 prefixes"),
        (("12",), ("a",), "without letters"),
        (("Hello.",), ("a\ud800",), "surrogate"),
        (("Hello.",), ("word " * 500,), "prefix has"),
    ],
)
def test_a_prefix_that_cannot_be_used_is_refused(
    service: Running, texts: tuple[str, ...], prefixes: tuple[str, ...], message: str
) -> None:
    request = replace(request_of(service, *texts), prefixes=prefixes)
    with pytest.raises(InvalidRequestError, match=message):
        run(service, request)


def test_a_shortest_length_is_kept(service: Running) -> None:
    request = request_of(service, sentence_of(service))
    (free,) = one(service, request).sentences
    wanted = len(free.target_tokens) + 5
    (longer,) = one(service, replace(request, min_target_tokens=wanted)).sentences
    assert len(longer.token_log_probs) > wanted


def test_a_loop_is_reported_and_counted(service: Running) -> None:
    # What is dictated loops: the model has no say, and the guard must see it all the same.
    words = service.model.bundle.tokenizer.decode_target([300] * 30)
    before = service.counted("repetition_guard_total")
    request = replace(request_of(service, sentence_of(service)), prefixes=(words,))
    (sentence,) = one(service, request).sentences
    assert sentence.finish_reason == "repetition"
    assert len(sentence.target_tokens) == len(sentence.token_log_probs)
    assert service.counted("repetition_guard_total") == before + 1
    assert service.counted("finish_total", reason="repetition") >= 1


def test_jobs_of_a_call_are_of_one_request_which_knows_how_many_they_are() -> None:
    with running(is_started=False) as waiting:
        words = sentence_of(waiting).split()
        sentences = [" ".join(words[number:]) for number in range(4)]
        calls = [request_of(waiting, *sentences[:3]), request_of(waiting, sentences[3])]
        entries = asyncio.run(queued_by(waiting, calls))
    assert sorted(one.job.request.num_sentences for one in entries) == [1, 3, 3, 3]
    assert len({one.job.request for one in entries}) == 2


async def queued_by(service: Running, calls: list[TranslateRequest]) -> list[Entry]:
    """What waits after these calls, which are given up then."""
    tasks = [asyncio.create_task(service.translator.translate(call)) for call in calls]
    found: list[Entry] = []
    for _ in range(10_000):
        found = service.model.scheduler._queue._waiting()
        if len(found) == sum(len(call.texts) for call in calls):
            break
        await asyncio.sleep(0.001)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return found
