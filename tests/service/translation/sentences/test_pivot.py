"""Texts by way of a third language, on tiny models that claim to translate other languages."""

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from service.cli.main import main
from service.documents.formats import read_document
from service.documents.translation import translate_document
from service.errors import (
    DeadlineExceededError,
    InvalidRequestError,
    UnsupportedLanguageError,
)
from service.inspection.values import AttentionRequest, AttentionSelection, ScoreRequest
from service.models.loaded_model import LoadedModel
from service.text.markup.passage import MarkupOptions
from service.text.masking.glossary import GlossaryEntry
from service.translation.values import StreamedSentence, TranslateRequest, Translation
from tests.data.toy_language import sentence_pairs
from tests.service.fake_time import run_on
from tests.service.fidelity.markup_texts import MARKUP_TEXTS
from tests.service.fidelity.properties import faults
from tests.service.fidelity.token_texts import TOKEN_TEXTS
from tests.service.tiny_models import FakeClock, Running, renamed_copy, running
from tests.service.waiting import eventually

SENTENCES = [source[0].upper() + source[1:] for source, _ in sentence_pairs(40, seed=7)]
FIRST, SECOND, THIRD = SENTENCES[:3]
HTML = MarkupOptions(kind="html")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """English reaches Italian by way of German, and German English by way of Italian."""
    folder = tmp_path_factory.mktemp("bundles")
    for source, target in (("en", "de"), ("de", "it"), ("it", "en")):
        renamed_copy(folder / f"{source}-{target}", source, target)
    return folder


@pytest.fixture(scope="module")
def service(bundles: Path) -> Iterator[Running]:
    with running(folder=bundles) as service:
        yield service


def request_of(*texts: str, **fields: object) -> TranslateRequest:
    return TranslateRequest(texts=texts, **({"source": "en", "target": "it"} | fields))  # type: ignore[arg-type]


def translate(service: Running, text: str, **fields: object) -> Translation:
    request = request_of(text, **fields)
    return asyncio.run(service.translator.translate(request)).translations[0]


def in_turn(service: Running, text: str, **fields: object) -> str:
    """The text of two requests, one after the other."""
    between = translate(service, text, target="de").text
    return translate(service, between, source="de", **fields).text


def test_sentences_are_translated_by_both_models_and_joined_as_they_were(service: Running) -> None:
    found = translate(service, f"  {FIRST}\n\n{SECOND}\n")
    first, second = in_turn(service, FIRST), in_turn(service, SECOND)
    assert found.text == f"  {first}\n\n{second}\n"
    assert [s.source for s in found.sentences] == [FIRST, SECOND]
    assert [found.text[slice(*s.target_span)] for s in found.sentences] == [first, second]


def test_many_texts_come_in_order_whatever_is_beside_them(service: Running) -> None:
    texts = (*SENTENCES[:20], "", "7", FIRST)
    found = asyncio.run(service.translator.translate(request_of(*texts))).translations
    assert [t.text for t in found] == [translate(service, text).text for text in texts]


def test_details_show_the_route(service: Running) -> None:
    (sentence,) = translate(service, FIRST).sentences
    first, second = sentence.route
    (alone,) = translate(service, FIRST, target="de").sentences
    (after,) = translate(service, alone.translation, source="de").sentences
    assert [(step.model, step.source, step.target) for step in sentence.route] == [
        ("en-de", "en", "de"),
        ("de-it", "de", "it"),
    ]
    assert first.translation == alone.translation
    assert second.translation == sentence.translation == after.translation
    assert (first.target_tokens, first.score) == (alone.target_tokens, alone.score)
    assert second.source_tokens == after.source_tokens
    assert sentence.source_tokens == alone.source_tokens
    assert sentence.target_tokens == after.target_tokens
    assert (sentence.score, sentence.token_log_probs) == (after.score, after.token_log_probs)
    assert not alone.route


def test_a_sentence_without_letters_has_no_route(service: Running) -> None:
    (sentence,) = translate(service, "42").sentences
    assert (sentence.translation, sentence.route, sentence.target_tokens) == ("42", (), ())


def test_a_sentence_cut_by_the_first_model_is_reported_as_cut(service: Running) -> None:
    (sentence,) = translate(service, FIRST, max_target_tokens=2).sentences
    assert sentence.route[0].finish_reason == "length"
    assert (sentence.finish_reason, sentence.truncated) == ("length", True)


@pytest.mark.parametrize("placeholder", ["{name}", "%1$d", "https://example.com/x", "5 km"])
def test_placeholders_pass_both_models(service: Running, placeholder: str) -> None:
    words = FIRST.split()
    text = " ".join([*words[:2], placeholder, *words[2:]])
    found = translate(service, text)
    assert found.text.count(placeholder) == 1
    assert all(sentence.placeholders_ok for sentence in found.sentences)


def test_tags_come_back_each_once_and_nested(service: Running) -> None:
    words = FIRST.split()
    text = (
        f"<p><b>{words[0]} <i>{words[1]}</i></b> {' '.join(words[2:])}</p>\n"
        f"<hr>\n<p>{SECOND} <img src='a.png'></p><script>if (a < b) {{}}</script>"
    )
    found = translate(service, text, markup=HTML)
    tags = re.findall(r"<\w[^>]*>|</[^>]*>", found.text)
    assert tags == re.findall(r"<\w[^>]*>|</[^>]*>", text)
    assert found.text.endswith("<script>if (a < b) {}</script>")


def test_terms_are_inserted_by_the_first_model_and_kept_by_the_second(
    service: Running,
) -> None:
    word = max(re.findall(r"\w+", FIRST), key=len)
    entry = GlossaryEntry(source=word, target="Wanted Term")
    found = translate(service, FIRST, glossary=(entry,))
    assert found.text.count("Wanted Term") == 1
    assert all(sentence.placeholders_ok for sentence in found.sentences)


def test_a_term_is_not_protected_where_the_pivot_language_has_the_same_word(
    service: Running,
) -> None:
    between = translate(service, FIRST, target="de").text
    word = max(re.findall(r"\w+", between), key=len)
    entry = GlossaryEntry(source="elsewhere", target=word)
    assert translate(service, FIRST, glossary=(entry,)).text == translate(service, FIRST).text


def test_terms_that_differ_in_case_alone_are_one_for_the_second_model(service: Running) -> None:
    one, other = FIRST.split()[1:3]
    glossary = (GlossaryEntry(source=one, target="x"), GlossaryEntry(source=other, target="X"))
    found = translate(service, FIRST, glossary=glossary)
    assert len(re.findall(r"\bx\b", found.text, re.IGNORECASE)) == 2


def test_contradictory_terms_are_refused(service: Running) -> None:
    entries = (GlossaryEntry(source="a", target="b"), GlossaryEntry(source="A", target="c"))
    with pytest.raises(InvalidRequestError, match="two targets for 'A'"):
        translate(service, FIRST, glossary=entries)


def test_alternatives_are_the_second_models(service: Running) -> None:
    found = translate(service, FIRST, num_alternatives=3)
    between = translate(service, FIRST, target="de").text
    alone = translate(service, between, source="de", num_alternatives=3)
    assert (found.text, found.alternatives) == (alone.text, alone.alternatives)
    assert len(found.alternatives) == 3


def test_words_are_linked_across_the_pivot_language(service: Running) -> None:
    (sentence,) = translate(service, FIRST, with_alignment=True).sentences
    assert sentence.alignment
    for link in sentence.alignment:
        assert sentence.source[slice(*link.source)].strip()
        assert sentence.translation[slice(*link.target)].strip()
    (plain,) = translate(service, FIRST).sentences
    assert plain.alignment is None


def test_a_detected_language_may_need_two_models(service: Running) -> None:
    found = translate(service, " ".join(SENTENCES[:6]), source="auto")
    assert found.detected
    assert found.detected.language == "en"
    assert {len(s.route) for s in found.sentences} == {2}


def test_a_stream_gives_the_same(service: Running) -> None:
    text = " ".join(SENTENCES)
    parts = asyncio.run(collected(service.translator.stream(request_of(text))))
    whole = translate(service, text)
    assert len(parts) > 1
    assert "".join(part.text for part in parts) == whole.text
    assert tuple(s for part in parts for s in part.sentences) == whole.sentences


async def collected(stream: AsyncIterator[StreamedSentence]) -> list[StreamedSentence]:
    return [part async for part in stream]


def test_a_file_goes_through_both(service: Running) -> None:
    document = read_document("a.html", f"<p>{FIRST}</p>\n<ul><li>{SECOND}</ul>".encode())
    translate_texts = service.translator.translate
    written = asyncio.run(translate_document(document, request_of(), translate_texts))
    first, second = (in_turn(service, text) for text in (FIRST, SECOND))
    assert written.decode() == f"<p>{first}</p>\n<ul><li>{second}</ul>"


@pytest.mark.parametrize(
    "fields", [{"attention": AttentionSelection()}, {"prefixes": ("Ein",)}], ids=str
)
def test_requests_that_need_one_model_are_refused_with_the_directions_to_use(
    service: Running, fields: dict[str, object]
) -> None:
    with pytest.raises(UnsupportedLanguageError, match="ask for en->de or de->it"):
        translate(service, FIRST, **fields)


def test_attention_and_scores_are_of_one_model(service: Running) -> None:
    asked = AttentionRequest(texts=(FIRST,), source="en", target="it")
    scored = ScoreRequest(pairs=((FIRST, FIRST),), source="en", target="it")
    for work in (
        service.translator.attention(asked),
        service.translator.attention(replace(asked, translations=(FIRST,))),
        service.translator.score(scored),
    ):
        with pytest.raises(UnsupportedLanguageError, match="ask for en->de or de->it"):
            asyncio.run(work)


@pytest.mark.parametrize("fields", [{"beam_size": 99}, {"min_target_tokens": 64}], ids=str)
def test_options_are_checked_before_any_work(service: Running, fields: dict[str, object]) -> None:
    before = service.counted("decode_steps_total")
    with pytest.raises(InvalidRequestError, match="it must be"):
        translate(service, FIRST, **fields)
    assert service.counted("decode_steps_total") == before


def test_pivoted_sentences_are_counted(service: Running) -> None:
    before = service.counted("pivoted_total")
    translate(service, f"{FIRST}\n7\n{SECOND}")
    translate(service, FIRST, target="de")
    assert service.counted("pivoted_total") == before + 2


def test_times_are_those_of_both_models(service: Running) -> None:
    result = asyncio.run(service.translator.translate(request_of(FIRST)))
    assert min(result.times.encode, result.times.decode, result.times.tokenize) > 0


def test_pivots_can_be_turned_off(bundles: Path) -> None:
    with (
        running(folder=bundles, is_started=False, pivots=False) as service,
        pytest.raises(UnsupportedLanguageError, match="it is not supported"),
    ):
        translate(service, FIRST)


def by_name(service: Running, name: str) -> LoadedModel:
    return next(model for model in service.registry.models if model.name == name)


async def at_the_second(service: Running, request: TranslateRequest) -> "asyncio.Task[Translation]":
    """A request that waits for its second model, which has not been started."""

    async def work() -> Translation:
        return (await service.translator.translate(request)).translations[0]

    by_name(service, "en-de").start()
    task = asyncio.create_task(work())
    second = by_name(service, "de-it").scheduler
    await asyncio.to_thread(eventually, lambda: second.is_busy)
    return task


def test_cancelling_reaches_the_second_model(bundles: Path) -> None:
    with running(folder=bundles, is_started=False) as service:

        async def scenario() -> None:
            task = await at_the_second(service, request_of(FIRST))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(scenario())
        by_name(service, "de-it").scheduler.start()
        eventually(lambda: not service.registry.is_busy)
        assert service.counted("cancelled_total", reason="client") == 1


def test_one_deadline_is_that_of_both(bundles: Path) -> None:
    clock = FakeClock()
    with running(folder=bundles, is_started=False, clock=clock) as service:

        async def scenario() -> None:
            task = await at_the_second(service, request_of(FIRST, timeout_s=10.0))
            clock.now_s += 11
            with pytest.raises(DeadlineExceededError):
                await task

        run_on(clock, scenario())


def test_models_that_are_replaced_meanwhile_finish_the_request(bundles: Path) -> None:
    with running(folder=bundles, is_started=False) as service:
        registry = service.registry

        async def scenario() -> Translation:
            task = await at_the_second(service, request_of(FIRST))
            replaced = {model.name: model for model in registry.replace([])}
            retiring = [
                threading.Thread(target=registry.retire, args=(model,))
                for model in replaced.values()
            ]
            for thread in retiring:
                thread.start()
            replaced["de-it"].scheduler.start()
            found = await task
            for thread in retiring:
                await asyncio.to_thread(thread.join, 20)
            assert not registry.running_models
            return found

        assert asyncio.run(scenario()).sentences[0].finish_reason == "stop"


def test_nasty_texts_keep_their_properties(service: Running) -> None:
    found = {}
    for nasty in (*MARKUP_TEXTS, *TOKEN_TEXTS):
        if not (nasty.options or nasty.may_refuse):
            markup = HTML if nasty.format == "html" else None
            target = translate(service, nasty.text, markup=markup).text
            firm = tuple(each for each in nasty.properties if not each.rests_on_model)
            found[nasty.id] = faults(firm, nasty.text, target)
    assert len(found) > 100
    assert not {name: each for name, each in found.items() if each}


def test_lines_of_the_command_go_through_both(
    service: Running, bundles: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (tmp_path / "lines.txt").write_text(f"{FIRST}\n\n{SECOND}\n")
    languages = ["--source", "en", "--target", "it"]
    models = ["--bundles", str(bundles), "--workers", "1"]
    assert main(["translate", *languages, *models, str(tmp_path / "lines.txt")]) == 0
    written = capfdbinary.readouterr().out.decode()
    assert written == f"{in_turn(service, FIRST)}\n\n{in_turn(service, SECOND)}\n"
