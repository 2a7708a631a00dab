"""The rows of the result: speed, and quality of the translations."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.contestants.interface import EngineName, Mode, Order
from benchmarks.engine.reference_model import ModelName, ReferenceModel
from benchmarks.engine.rounds import Entry, Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One contestant in one setting."""

    model: ModelName
    engine: EngineName
    precision: str
    batch: int
    beam: int
    mode: Mode
    order: Order
    threads: str
    """Batches at once x threads in each, the fastest of a trial."""
    sentences: int
    rounds: int
    tokens_per_s: float
    """Median over the rounds, end tokens included."""
    spread: float
    """(fastest - slowest) / median."""
    ratio_to_ct2_int8: float | None
    """Against CTranslate2 int8 with sorted batches, in the same setting."""
    ratio_to_transformers: float | None
    """Against `generate` of transformers, in the same setting."""
    identical: float | None
    """Share of translations equal to those of CTranslate2 float32 with the same beam."""
    bleu: float | None


def rows_of(reference_model: ReferenceModel, entries: Sequence[Entry]) -> list[Row]:
    """Summarise the runs."""
    peers = _median_speeds([e for e in entries if _is_sorted_ctranslate2(e, "int8")])
    plain = _median_speeds([e for e in entries if e.contestant.engine == "transformers"])
    exact: dict[int, Sequence[tuple[int, ...]]] = {}
    for entry in entries:
        if _is_sorted_ctranslate2(entry, "float32"):
            exact.setdefault(entry.setting.beam, entry.targets)
    return [
        _row(
            reference_model,
            entry,
            peer=peers.get(entry.setting),
            plain=plain.get(entry.setting),
            exact=exact.get(entry.setting.beam),
        )
        for entry in entries
    ]


def _median_speeds(entries: Sequence[Entry]) -> dict[Setting, float]:
    return {entry.setting: statistics.median(entry.speeds) for entry in entries}


def _row(
    reference_model: ReferenceModel,
    entry: Entry,
    *,
    peer: float | None,
    plain: float | None,
    exact: Sequence[tuple[int, ...]] | None,
) -> Row:
    speed = statistics.median(entry.speeds)
    return Row(
        model=reference_model.name,
        engine=entry.contestant.engine,
        precision=entry.contestant.precision,
        batch=entry.setting.batch,
        beam=entry.setting.beam,
        mode=entry.setting.mode,
        order=entry.contestant.order,
        threads=str(entry.threads),
        sentences=len(entry.requests),
        rounds=len(entry.seconds),
        tokens_per_s=round(speed, 1),
        spread=round((max(entry.speeds) - min(entry.speeds)) / speed, 3),
        ratio_to_ct2_int8=round(speed / peer, 3) if peer else None,
        ratio_to_transformers=round(speed / plain, 3) if plain else None,
        identical=_identical(reference_model, entry, exact),
        bleu=reference_model.bleu(entry.targets),
    )


def _is_sorted_ctranslate2(entry: Entry, precision: str) -> bool:
    contestant = entry.contestant
    wanted = ("ctranslate2", precision, "sorted")
    return (contestant.engine, contestant.precision, contestant.order) == wanted


def _identical(
    reference_model: ReferenceModel, entry: Entry, exact: Sequence[tuple[int, ...]] | None
) -> float | None:
    if exact is None:
        return None
    pairs = list(zip(entry.targets, exact, strict=False))
    if reference_model.references is None:
        if entry.setting.beam > 1:
            return None  # the best of a beam depends on where it was cut off
        # Sentences of a batch end together: one may have been cut off earlier than the other.
        pairs = [(a[: len(b)], b[: len(a)]) for a, b in pairs]
    return round(sum(a == b for a, b in pairs) / len(pairs), 4)


def print_rows(rows: Sequence[Row]) -> None:
    """Print a table."""
    print(
        "mode    batch beam engine       precision order      threads   tok/s  spread  x CT2 int8"
        "   x HF  identical   BLEU"
    )
    for row in rows:
        print(
            f"{row.mode:7} {row.batch:5d} {row.beam:4d} {row.engine:12} {row.precision:9} "
            f"{row.order:10} {row.threads:>7} {row.tokens_per_s:7.0f} {row.spread:7.1%} "
            f"{_or_dash(row.ratio_to_ct2_int8, '11.2f')} "
            f"{_or_dash(row.ratio_to_transformers, '6.2f')} {_or_dash(row.identical, '10.1%')} "
            f"{_or_dash(row.bleu, '6.2f')}"
        )


def _or_dash(value: float | None, form: str) -> str:
    return "-".rjust(int(form.partition(".")[0])) if value is None else format(value, form)
