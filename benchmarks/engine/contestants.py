"""Who takes part, with the files that each needs."""

from collections.abc import Collection, Iterator
from pathlib import Path

from benchmarks.contestants.interface import Contestant, EngineName, Mode, Order
from benchmarks.engine.reference_model import ReferenceModel

_CT2_PRECISIONS = {"float32": None, "int8": "int8"}
"""What it computes in, and what its files are kept in."""


def prepare_contestants(
    reference_model: ReferenceModel, engines: Collection[EngineName], folder: Path
) -> list[Contestant]:
    """Make the models of the engines that are asked for.

    Args:
        reference_model: What all of them translate with.
        engines: CTranslate2 takes part in any case: the others are compared with it.
        folder: Existing; the models of the others go there.
    """
    contestants = [*_ctranslate2(reference_model, folder)]
    if "pellucid" in engines:
        contestants += _pellucid(reference_model)
    if "transformers" in engines or "optimum" in engines:
        contestants += _hugging_face(reference_model, engines, folder)
    return contestants


def _pellucid(reference_model: ReferenceModel) -> Iterator[Contestant]:
    for bundle in reference_model.bundles:
        modes: tuple[Mode, Mode] = ("batch", "serving")
        for mode in modes:
            yield Contestant(
                engine="pellucid",
                precision=bundle.manifest.precision,
                folder=bundle.path,
                mode=mode,
                order="continuous",
            )


def _ctranslate2(reference_model: ReferenceModel, folder: Path) -> Iterator[Contestant]:
    from benchmarks.contestants.ctranslate2_converter import convert

    for precision, quantization in _CT2_PRECISIONS.items():
        model = folder / f"ctranslate2-{precision}"
        convert(reference_model.network, reference_model.pieces, model, quantization=quantization)
        orders: tuple[tuple[Mode, Order], ...] = (("batch", "sorted"),)
        if precision == "int8":
            orders = (*orders, ("batch", "arrival"), ("serving", "sorted"), ("serving", "arrival"))
        for mode, order in orders:
            yield Contestant(
                engine="ctranslate2", precision=precision, folder=model, mode=mode, order=order
            )


def _hugging_face(
    reference_model: ReferenceModel, engines: Collection[EngineName], folder: Path
) -> Iterator[Contestant]:
    from benchmarks.contestants.transformers_converter import (
        convert_to_optimum,
        convert_to_transformers,
    )

    folders: dict[EngineName, Path] = {
        "transformers": folder / "transformers",
        "optimum": folder / "optimum",
    }
    convert_to_transformers(reference_model.network, folders["transformers"])
    if "optimum" in engines:
        convert_to_optimum(folders["transformers"], folders["optimum"])
    for engine, model in folders.items():
        if engine in engines:
            yield Contestant(
                engine=engine, precision="float32", folder=model, mode="batch", order="sorted"
            )
