"""The kinds of checkpoints that can be imported, and the module that reads each.

Modules are imported when they are needed: the command line lists the kinds without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from export.importers.imported_model import Reader

READERS = {
    "ctranslate2": "export.importers.ct2.reader",
    "fairseq": "export.importers.fairseq.reader",
    "hf-marian": "export.importers.hf_marian.reader",
    "joeynmt": "export.importers.joeynmt.reader",
    "marian": "export.importers.marian.reader",
    "opennmt": "export.importers.opennmt.reader",
    "torch": "export.importers.torch_module.reader",
}
"""Module with a function `read`, by the kind's name on the command line and in manifests."""


def reader_of(kind: str) -> "Reader":
    """The function that reads checkpoints of a kind."""
    reader: Reader = import_module(READERS[kind]).read
    return reader
