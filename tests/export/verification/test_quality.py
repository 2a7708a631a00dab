"""A variant that loses too much is refused, with all measurements."""

import math

import pytest

from bundle.manifest import LanguagePair, Precision, QualityReport
from export.errors import VerificationError
from export.verification.quality import check_precision, check_shortlist
from tests.export.networks import PAIR


def _report(
    precision: Precision, bleu: float, *, beam_size: int = 1, pair: LanguagePair = PAIR
) -> QualityReport:
    return QualityReport(
        dataset="dev.tsv",
        pair=pair,
        precision=precision,
        sentences=10,
        beam_size=beam_size,
        bleu=bleu,
        chrf=50.25,
        bleu_signature="",
        chrf_signature="",
        changed_against_fp32=0.125,
        max_logit_error=0.5,
    )


PLAIN = [_report("fp32", 30.0), _report("fp32", 31.0, beam_size=4)]
BACK = LanguagePair(source="de", target="en")


@pytest.mark.parametrize("bleu", [29.71, 30.0, 33.0])
def test_a_small_loss_passes(bleu: float) -> None:
    check_precision([*PLAIN, _report("int8", bleu)], 0.3)


@pytest.mark.parametrize("bleu", [29.69, 0.0, math.nan])
def test_a_large_loss_is_refused_with_figures(bleu: float) -> None:
    with pytest.raises(VerificationError) as caught:
        check_precision([*PLAIN, _report("int8", bleu)], 0.3)
    message = str(caught.value)
    for figure in (f"BLEU {bleu}", "BLEU 30.0", "chrF 50.25", "12.5%", "0.500", "over 0.3"):
        assert figure in message


def test_beam_search_is_compared_with_beam_search() -> None:
    reports = [*PLAIN, _report("int8", 30.0), _report("int8", 30.0, beam_size=4)]
    with pytest.raises(VerificationError, match=r"with beam 4, int8 has BLEU 30\.0.*BLEU 31\.0"):
        check_precision(reports, 0.3)


def test_the_worst_direction_decides() -> None:
    plain = [*PLAIN, _report("fp32", 40.0, pair=BACK)]
    better, worse = _report("int8", 33.0), _report("int8", 39.6, pair=BACK)
    with pytest.raises(VerificationError, match=r"^de->en with beam 1, int8 .*fp32 has BLEU 40\.0"):
        check_precision([*plain, better, worse], 0.3)
    with pytest.raises(VerificationError, match=r"^de->en with the shortlist.* BLEU 40\.0"):
        check_shortlist([better, worse], plain)


def test_a_shortlist_may_lose_less_than_a_precision() -> None:
    whole = [_report("int8", 30.0), _report("int8", 31.0, beam_size=4)]
    check_shortlist([_report("int8", 29.81)], whole)
    with pytest.raises(VerificationError, match=r"with the shortlist, int8 has BLEU 29\.79"):
        check_shortlist([_report("int8", 29.79)], whole)
