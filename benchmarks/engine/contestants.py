"""The contestants of a comparison, with their converted models."""

from collections.abc import Collection, Iterator
from pathlib import Path

from benchmarks.contestants.interface import Contestant, EngineName, Mode, Order
from benchmarks.engine.reference_model import ReferenceModel

_CT2_PRECISIONS = {"float32": None, "int8": "int8"}
"""Precision of the computation, and quantisation of the files."""


def prepare_contestants(
    reference_model: ReferenceModel, engines: Collection[EngineName], folder: Path
) -> list[Contestant]:
    """Convert the model for the given engines.

    Args:
        reference_model: The weights of all contestants.
        engines: CTranslate2 is always added: the others are compared with it.
        folder: Existing; receives the converted models.
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
