"""The kinds of checkpoints that can be imported, and the module that reads each.

Modules are imported when they are needed: the command line lists the kinds without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from export.errors import ExportError

if TYPE_CHECKING:
    from bundle.manifest import Precision
    from export.importers.imported_model import Reader

READERS = {
    "ctranslate2": "export.importers.ct2.reader",
    "fairseq": "export.importers.fairseq.reader",
    "firefox": "export.importers.firefox.reader",
    "hf-marian": "export.importers.hf_marian.reader",
    "joeynmt": "export.importers.joeynmt.reader",
    "marian": "export.importers.marian.reader",
    "opennmt": "export.importers.opennmt.reader",
    "torch": "export.importers.torch_module.reader",
}
"""Module with a function `read`, by the kind's name on the command line and in manifests."""

INT8_KINDS = frozenset({"firefox"})
"""Kinds whose checkpoints are int8 with the scales of their activations."""


def reader_of(kind: str) -> "Reader":
    """The function that reads checkpoints of a kind.

    Raises:
        ExportError: It takes torch, which is not installed.
    """
    try:
        reader: Reader = import_module(READERS[kind]).read
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ExportError(
            f"models of the kind {kind} take torch: in a checkout, pip install '.[train,import]'"
        ) from error
    return reader


def default_precision(kind: str) -> "Precision":
    """The precision of a bundle where the command line names none."""
    return "int8" if kind in INT8_KINDS else "fp32"
