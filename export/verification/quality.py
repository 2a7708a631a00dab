"""Measures the quality of a bundle's translations with the engine that serves it."""

from collections.abc import Sequence

from tqdm import tqdm

from bundle.manifest import LanguagePair, QualityReport
from export.errors import VerificationError
from export.sentences.development_set import DevelopmentSet
from export.verification.forced_decoding import forced_logits, largest_difference
from service.engine.graphs.sessions import Sessions
from service.engine.offline import decode_stream
from service.engine.search.options import DecodeOptions

BEAM_SIZES = (1, 4)
"""Greedy search, and the usual beam."""
LOGIT_SENTENCES = 50
MAX_SHORTLIST_LOSS = 0.2
"""BLEU that a shortlist may lose; --max-bleu-loss limits the loss of int8."""


def translate(
    sessions: Sessions, dev: DevelopmentSet, beam_size: int = 1, *, shows_progress: bool = True
) -> list[str]:
    """Translations of a development set."""
    tokenizer, defaults = sessions.bundle.tokenizer, sessions.bundle.manifest.decoding
    options = DecodeOptions(
        beam_size=beam_size,
        length_penalty=defaults.length_penalty,
        max_target_tokens=sessions.bundle.manifest.max_target_tokens,
        with_scores=False,
    )
    stream = decode_stream(sessions, dev.source_ids, options)
    name = f"translating, beam {beam_size}"
    bar = tqdm(stream, total=len(dev.pairs), desc=name, unit="sentence", disable=not shows_progress)
    texts = {index: tokenizer.decode_target(h[0].target_ids) for index, h in bar}
    return [texts[i] for i in range(len(dev.pairs))]


class QualityMeter:
    """Scores variants of one network against fp32, whose translations are kept."""

    def __init__(self, reference: Sessions, dev: DevelopmentSet) -> None:
        """Measure against `reference`, on `dev`."""
        self._reference = reference
        self._dev = dev
        self._plain_texts: dict[int, list[str]] = {}

    def measure(self, sessions: Sessions, beam_size: int = 1) -> QualityReport:
        """Translate the development set and score it; `sessions` may be the reference itself."""
        # Here: without development text nothing needs it.
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF

        plain = self._translate_plainly(beam_size)
        is_plain = sessions is self._reference
        texts = plain if is_plain else translate(sessions, self._dev, beam_size)
        manifest, bleu, chrf = sessions.bundle.manifest, BLEU(), CHRF()
        return QualityReport(
            dataset=self._dev.name,
            pair=self._dev.pair,
            precision=manifest.precision,
            sentences=len(texts),
            beam_size=beam_size,
            with_shortlist=manifest.shortlist is not None,
            bleu=round(bleu.corpus_score(texts, [self._dev.references]).score, 2),
            chrf=round(chrf.corpus_score(texts, [self._dev.references]).score, 2),
            bleu_signature=str(bleu.get_signature()),
            chrf_signature=str(chrf.get_signature()),
            changed_against_fp32=_changed(texts, plain),
            max_logit_error=0.0 if is_plain else self._logit_error(sessions),
        )

    def _translate_plainly(self, beam_size: int) -> list[str]:
        if beam_size not in self._plain_texts:
            self._plain_texts[beam_size] = translate(self._reference, self._dev, beam_size)
        return self._plain_texts[beam_size]

    def _logit_error(self, sessions: Sessions) -> float:
        few = slice(0, LOGIT_SENTENCES)
        sources, targets = self._dev.source_ids[few], self._dev.target_ids[few]
        have = forced_logits(sessions, sources, targets)
        want = forced_logits(self._reference, sources, targets)
        return max(largest_difference(h, w) for h, w in zip(have, want, strict=True))


def check_precision(reports: Sequence[QualityReport], max_bleu_loss: float) -> None:
    """Refuse a precision that loses too much.

    Args:
        reports: Of fp32 and of others, with the same directions and beam sizes.
        max_bleu_loss: Against fp32, in any direction.

    Raises:
        VerificationError: BLEU is lower by more than that; with all figures.
    """
    plain = _bleu_by_task([r for r in reports if r.precision == "fp32"])
    faults = [
        f"{r.pair} with beam {r.beam_size}, {_figures(r)}; fp32 has BLEU {plain[_task(r)]}"
        for r in reports
        if not plain[_task(r)] - r.bleu <= max_bleu_loss
    ]
    if faults:
        raise VerificationError(
            f"{'; '.join(faults)}: the loss is over {max_bleu_loss}; --max-bleu-loss allows more"
        )


def check_shortlist(short: Sequence[QualityReport], whole: Sequence[QualityReport]) -> None:
    """Refuse a shortlist that loses too much against the whole vocabulary, in any direction.

    Args:
        short: With the shortlist.
        whole: Without it, with at least the same directions and beam sizes.

    Raises:
        VerificationError: BLEU is lower by more than `MAX_SHORTLIST_LOSS`.
    """
    without = _bleu_by_task(whole)
    faults = [
        f"{r.pair} with the shortlist, {_figures(r)}; without it BLEU {without[_task(r)]}"
        for r in short
        if not without[_task(r)] - r.bleu <= MAX_SHORTLIST_LOSS
    ]
    if faults:
        raise VerificationError(
            f"{'; '.join(faults)}: the loss is over {MAX_SHORTLIST_LOSS}; leave --shortlist out "
            "or give it more text"
        )


def _bleu_by_task(reports: Sequence[QualityReport]) -> dict[tuple[LanguagePair, int], float]:
    return {_task(r): r.bleu for r in reports}


def _task(report: QualityReport) -> tuple[LanguagePair, int]:
    """Direction and beam, which comparable reports have in common."""
    return report.pair, report.beam_size


def _figures(report: QualityReport) -> str:
    return (
        f"{report.precision} has BLEU {report.bleu}, chrF {report.chrf}, "
        f"{report.changed_against_fp32:.1%} of the translations changed against fp32 and a largest "
        f"logit error of {report.max_logit_error:.3f}"
    )


def _changed(texts: Sequence[str], plain: Sequence[str]) -> float:
    return sum(a != b for a, b in zip(texts, plain, strict=True)) / max(len(texts), 1)
