import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pellucid import StartupError, Translator
from service.errors import (
    DeadlineExceededError,
    InvalidRequestError,
    ShuttingDownError,
    UnsupportedLanguageError,
)
from tests.service.server_process import environment
from tests.service.tiny_models import TINY_BUNDLE, renamed_copy

TEXTS = ["ab cd.", "ef gh ij.", "ab."]


def _threads() -> set[threading.Thread]:
    ours = ("pellucid", "asyncio")
    return {thread for thread in threading.enumerate() if thread.name.startswith(ours)}


def test_a_list_gives_a_list_of_the_same_translations(translator: Translator) -> None:
    together = translator.translate(TEXTS)
    assert together == [translator.translate(text) for text in TEXTS]
    assert translator.translate(tuple(TEXTS)) == together
    assert translator.translate([]) == []


def test_details_have_sentences_with_scores_and_alternatives(translator: Translator) -> None:
    found = translator.translate("ab cd. ef.", details=True, alternatives=1, alignment=True)
    assert len(found.alternatives) == 1
    for sentence in found.sentences:
        assert len(sentence.token_log_probs) == len(sentence.target_tokens) > 0
        assert sentence.score == pytest.approx(sum(sentence.token_log_probs))
        assert sentence.alignment is not None
    assert [type(each) for each in translator.translate(TEXTS, details=True)] == [type(found)] * 3


def test_options_of_a_call_win_over_those_of_the_translator() -> None:
    with Translator("en", "de", bundles=TINY_BUNDLE, threads=1, alternatives=1) as translator:
        assert len(translator.translate("ab cd.", details=True).alternatives) == 1
        assert translator.translate("ab cd.", details=True, alternatives=0).alternatives == ()


def test_tags_are_kept_and_glossaries_followed(translator: Translator) -> None:
    assert "<b>" in translator.translate("<b>ab</b> cd.", html=True)
    assert "Xy" in translator.translate("ab cd.", glossary={"ab": "Xy"})


def test_unknown_options_are_named(translator: Translator) -> None:
    with pytest.raises(TypeError, match="'beams': it must be one of beam_size, length_penalty"):
        translator.translate("ab.", beams=2)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="'beams'"):
        Translator("en", "de", beams=2)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("beam_size", 2.5, "beam_size is 2.5: give a whole number from 1 to 8"),
        ("beam_size", True, "beam_size is True: give a whole number"),
        ("beam_size", "2", "beam_size is '2': give a whole number"),
        ("beam_size", 10**400, r"beam_size is 10+\.\.\.0+: give a whole number"),
        ("max_target_tokens", 2.5, "give a whole number, 1 or more"),
        ("alternatives", 8, "alternatives is 8: give a whole number from 0 to 7"),
        ("length_penalty", "1", "length_penalty is '1': give a finite number, 0 or more"),
        ("length_penalty", 10**400, "give a finite number, 0 or more"),
        ("length_penalty", float("inf"), "length_penalty is inf"),
        ("timeout_s", float("nan"), "timeout_s is nan: give a number of seconds"),
    ],
)
def test_numbers_that_no_option_can_be_are_named(
    translator: Translator, name: str, value: float | str, message: str
) -> None:
    uses: list[Callable[..., object]] = [translator.translate, Translator]
    for use in uses:
        with pytest.raises(InvalidRequestError, match=message):
            use("ab.", **{name: value})


def test_wrong_values_are_errors_that_say_so(translator: Translator) -> None:
    with pytest.raises(InvalidRequestError, match="beam_size is 0"):
        translator.translate("ab.", beam_size=0)
    with pytest.raises(UnsupportedLanguageError, match="xx is not supported"):
        translator.translate("ab.", target="xx")
    with pytest.raises(InvalidRequestError, match="2 texts, but 1 translations"):
        translator.score(["ab.", "cd."], ["ab."])
    with pytest.raises(DeadlineExceededError):
        translator.translate("ab.", timeout_s=0.0)


def test_a_missing_language_is_named() -> None:
    with Translator(bundles=TINY_BUNDLE, threads=1) as translator:
        assert translator.translate("ab.", source="en", target="de")
        with pytest.raises(InvalidRequestError, match="target language is missing"):
            translator.translate("ab.")
        with pytest.raises(InvalidRequestError, match="source language is missing"):
            translator.score("ab.", "cd.", target="de")


def test_source_is_detected_where_it_is_not_named(tmp_path: Path) -> None:
    bundles = [
        renamed_copy(tmp_path / f"{language}-de", language, "de") for language in ("en", "fr")
    ]
    with Translator(target="de", bundles=bundles, threads=1) as translator:
        texts = ["The weather is nice today.", "Il fait beau aujourd'hui, merci."]
        found = translator.translate(texts, details=True)
        assert [each.detected.language for each in found if each.detected] == ["en", "fr"]
        assert translator.detect(texts[1])[0].language == "fr"


def test_score_is_that_of_the_translation(translator: Translator) -> None:
    translated = translator.translate("ab cd.", details=True)
    scored = translator.score("ab cd.", translated.text)
    assert scored.log_prob == pytest.approx(translated.sentences[0].score, abs=1e-3)
    assert translator.score(["ab cd."], [translated.text]) == [scored]


def test_threads_get_the_translations_of_their_own_texts(translator: Translator) -> None:
    alone = {text: translator.translate(text) for text in TEXTS}
    with ThreadPoolExecutor(8) as pool:
        asked = TEXTS * 20
        assert list(pool.map(translator.translate, asked)) == [alone[text] for text in asked]


def test_closing_ends_all_threads_and_calls_fail_afterwards() -> None:
    before = _threads()
    with Translator("en", "de", bundles=TINY_BUNDLE, threads=2) as translator:
        assert translator.detect("ab")
        assert _threads() - before
    assert _threads() <= before
    translator.close()
    with pytest.raises(ShuttingDownError, match="closed"):
        translator.translate("ab.")


def test_a_call_that_waits_fails_when_another_thread_closes() -> None:
    translator = Translator("en", "de", bundles=TINY_BUNDLE, threads=1)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(translator.translate, ["ab cd ef gh ij kl mn op."] * 20_000)
        while not waiting.running():
            pass
        translator.close()
        with pytest.raises(ShuttingDownError):
            waiting.result(60)


def test_a_forgotten_translator_ends_its_threads() -> None:
    before = _threads()
    translator = Translator("en", "de", bundles=TINY_BUNDLE, threads=1)
    translator.translate("ab.")
    del translator
    gc.collect()
    assert _threads() <= before


def test_a_program_that_does_not_close_ends() -> None:
    program = (
        "from pellucid import Translator\n"
        f"t = Translator('en', 'de', bundles={str(TINY_BUNDLE)!r})\n"
        "t.translate('ab.')\n"
    )
    assert _printed(program) == ""


def _printed(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=Path(__file__).parents[2],
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_fork_is_told_to_create_its_own(translator: Translator) -> None:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # nothing of pytest may run here
        try:
            translator.translate("ab.")
        except RuntimeError as error:
            os.write(write, str(error).encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    said = os.read(read, 1000)
    os.close(read)
    assert said == b"a fork has no threads: create the translator in this process"


def test_an_interrupt_ends_a_call() -> None:
    program = (
        "import signal, sys, threading\n"
        "from pellucid import Translator\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"with Translator('en', 'de', bundles={str(TINY_BUNDLE)!r}, threads=1) as t:\n"
        "    main = threading.main_thread().ident\n"
        "    threading.Timer(0.3, signal.pthread_kill, [main, signal.SIGINT]).start()\n"
        "    try:\n"
        "        t.translate(['ab cd ef gh ij kl mn op.'] * 20_000)\n"
        "    except KeyboardInterrupt:\n"
        "        print('interrupted', t.translate('ab.') != '')\n"
    )
    assert _printed(program) == "interrupted True\n"


def test_a_pair_without_a_model_fails_at_once() -> None:
    before = _threads()
    with pytest.raises(UnsupportedLanguageError, match="fr is not supported"):
        Translator("en", "fr", bundles=TINY_BUNDLE)
    assert _threads() <= before


def test_a_failed_start_leaves_no_thread(tmp_path: Path) -> None:
    before = _threads()
    with pytest.raises(StartupError, match="there is no such folder"):
        Translator("en", "de", bundles=tmp_path / "missing")
    assert _threads() <= before


def test_engine_processes_translate_alike(translator: Translator) -> None:
    with Translator("en", "de", bundles=TINY_BUNDLE, engines=1) as with_engine:
        assert with_engine.translate(TEXTS) == translator.translate(TEXTS)
