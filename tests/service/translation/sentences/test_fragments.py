"""Sentences translated in fragments around what the model lost."""

from dataclasses import replace

import pytest

from service.engine.search.options import FinishReason, Hypothesis
from service.text.masking.glossary import GlossaryEntry
from service.translation.sentences.fragments import cut, join_fragments, join_hypotheses
from service.translation.sentences.source_text import ReadOptions, SourceSentence, TextReader
from tests.service.tiny_models import tiny_bundle

BUNDLE = tiny_bundle()
PAIR = BUNDLE.manifest.pairs[0]
GLOSSARY = (GlossaryEntry(source="print queue", target="Druckerschlange"),)
READER = TextReader(BUNDLE, PAIR, ReadOptions(glossary=GLOSSARY))


def sentence_of(text: str) -> SourceSentence:
    (sentence,) = READER.read([text]).sentences
    return sentence


def hypothesis(text: str, reason: FinishReason = "stop") -> Hypothesis:
    ids = tuple(BUNDLE.tokenizer.encode_target(text)[:-1])
    return Hypothesis(
        target_ids=ids,
        token_log_probs=(-0.5,) * len(ids),
        finish_reason=reason,
        has_ended=reason == "stop",
        score=-0.5 * len(ids),
    )


def test_a_sentence_is_cut_around_its_placeholders() -> None:
    fragments = cut(sentence_of("- Open {a} now 42 {b}"), READER)
    assert [p if isinstance(p, str) else p.replacement for p in fragments.parts] == [
        "Open ",
        "{a}",
        " now 42 ",
        "{b}",
    ]
    assert fragments.source_ids == (READER.encode("Open"), READER.encode("now 42"))


def test_fragments_keep_their_order_their_spaces_and_what_was_protected() -> None:
    fragments = cut(sentence_of("- Open the print queue of {a} now"), READER)
    translations = [hypothesis(text) for text in ("offen", "von", "nun")]
    found = join_fragments(fragments, translations, BUNDLE)
    assert found.best.text == "- offen Druckerschlange von {a} nun"
    assert found.best.is_complete
    assert len(found.target_tokens) == sum(len(t.target_ids) for t in translations) + 1


def test_fragments_are_linked_with_their_translations() -> None:
    text = "- Open {a} now"
    found = join_fragments(
        cut(sentence_of(text), READER), [hypothesis("offen"), hypothesis("nun")], BUNDLE
    )
    pairs = [
        (text[slice(*link.source)], found.best.text[slice(*link.target)])
        for link in found.best.links or ()
    ]
    assert pairs == [("Open ", "offen "), ("{a}", "{a}"), (" now", " nun")]


def test_fragments_get_the_case_of_their_sentence() -> None:
    fragments = cut(sentence_of("PLEASE OPEN {Name} TODAY"), READER)
    found = join_fragments(fragments, [hypothesis("offen"), hypothesis("nun")], BUNDLE)
    assert found.best.text == "OFFEN {Name} NUN"


@pytest.mark.parametrize("reason", ["length", "repetition"])
def test_a_sentence_has_ended_only_if_all_its_fragments_have(reason: FinishReason) -> None:
    both = [hypothesis("eins"), hypothesis("zwei", reason)]
    joined = join_hypotheses(both)
    assert (joined.finish_reason, joined.has_ended) == (reason, False)
    assert joined.target_ids == (*both[0].target_ids, *both[1].target_ids)
    assert joined.log_prob == sum(each.log_prob for each in both)
    assert joined.score == both[0].score + both[1].score
    assert join_hypotheses(both[:1]) == both[0]


def test_symbols_that_a_fragment_made_up_are_taken_out() -> None:
    manifest = BUNDLE.manifest.model_copy(update={"placeholders": ("⟦0⟧", "⟦1⟧")})
    bundle = replace(BUNDLE, manifest=manifest)
    reader = TextReader(bundle, PAIR, ReadOptions())
    (sentence,) = reader.read(["Open {a} now"]).sentences
    found = join_fragments(
        cut(sentence, reader), [hypothesis("⟦0⟧ offen"), hypothesis("nun ⟦1⟧")], bundle
    )
    assert found.best.text == "offen {a} nun"
