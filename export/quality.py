"""How well a bundle translates, measured with the engine that will serve it."""

from collections.abc import Sequence

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from tqdm import tqdm

from bundle.manifest import QualityReport
from export.development_set import DevelopmentSet
from export.errors import VerificationError
from export.forcing import forced_logits, largest_difference
from service.engine.batch import decode_stream
from service.engine.options import DecodeOptions
from service.engine.sessions import Sessions

LOGIT_SENTENCES = 50


def translate(sessions: Sessions, dev: DevelopmentSet) -> list[str]:
    """Greedy translations of a development set."""
    tokenizer = sessions.bundle.tokenizer
    longest = sessions.bundle.manifest.max_target_tokens
    options = DecodeOptions(max_target_tokens=longest, with_scores=False)
    stream = decode_stream(sessions, dev.source_ids, options)
    bar = tqdm(stream, total=len(dev.pairs), desc="translating", unit="sentence")
    texts = {index: tokenizer.decode_target(h[0].target_ids) for index, h in bar}
    return [texts[i] for i in range(len(dev.pairs))]


def measure_quality(sessions: Sessions, reference: Sessions, dev: DevelopmentSet) -> QualityReport:
    """Score a bundle, beside the fp32 bundle of the same network.

    Args:
        sessions: What is measured.
        reference: Its fp32 form; the same object where fp32 itself is measured.
        dev: Sentences and references.
    """
    texts = translate(sessions, dev)
    plain = texts if sessions is reference else translate(reference, dev)
    bleu, chrf = BLEU(), CHRF()
    return QualityReport(
        dataset=dev.name,
        pair=dev.pair,
        precision=sessions.bundle.manifest.precision,
        sentences=len(texts),
        beam_size=1,
        bleu=round(bleu.corpus_score(texts, [dev.references]).score, 2),
        chrf=round(chrf.corpus_score(texts, [dev.references]).score, 2),
        bleu_signature=str(bleu.get_signature()),
        chrf_signature=str(chrf.get_signature()),
        changed_against_fp32=_changed(texts, plain),
        max_logit_error=_logit_error(sessions, reference, dev),
    )


def check_quality(reports: Sequence[QualityReport], max_bleu_loss: float) -> None:
    """Refuse a precision that loses too much.

    Raises:
        VerificationError: BLEU is more than `max_bleu_loss` under that of fp32.
    """
    plain = next(r for r in reports if r.precision == "fp32")
    for report in reports:
        if plain.bleu - report.bleu > max_bleu_loss:
            raise VerificationError(
                f"{report.precision} has BLEU {report.bleu}, fp32 has {plain.bleu}: "
                f"the loss is over {max_bleu_loss}; --max-bleu-loss allows more"
            )


def _changed(texts: Sequence[str], plain: Sequence[str]) -> float:
    return sum(a != b for a, b in zip(texts, plain, strict=True)) / max(len(texts), 1)


def _logit_error(sessions: Sessions, reference: Sessions, dev: DevelopmentSet) -> float:
    if sessions is reference:
        return 0.0
    sources, targets = dev.source_ids[:LOGIT_SENTENCES], dev.target_ids[:LOGIT_SENTENCES]
    have = forced_logits(sessions, sources, targets)
    want = forced_logits(reference, sources, targets)
    return max(largest_difference(h, w) for h, w in zip(have, want, strict=True))
