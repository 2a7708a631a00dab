"""Known classes of a pickle become stubs; any other class refuses the file."""

import functools
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch

from export.errors import ExportError
from export.importers.files.pickle_stubs import PickleStub, stub_attributes
from export.importers.files.tensor_files import load_pickled

KNOWN = ("argparse.Namespace", "functools.partial")


def _saved(folder: Path, content: object) -> Path:
    torch.save({"weight": torch.ones(2), "opt": content}, folder / "model.pt")
    return folder / "model.pt"


def test_a_stub_has_the_attributes_that_were_saved(tmp_path: Path) -> None:
    path = _saved(tmp_path, Namespace(layers=6, inner=Namespace(heads=8)))
    opt = load_pickled(path, KNOWN)["opt"]
    assert type(opt) is PickleStub
    assert stub_attributes(opt)["layers"] == 6
    assert stub_attributes(stub_attributes(opt)["inner"]) == {"heads": 8}


def test_other_values_have_no_stub_attributes() -> None:
    assert stub_attributes({"layers": 6}) == {}


def test_a_function_with_arguments_is_not_kept(tmp_path: Path) -> None:
    path = _saved(tmp_path, functools.partial(Namespace, layers=6))
    opt = load_pickled(path, KNOWN)["opt"]
    assert type(opt) is PickleStub
    assert stub_attributes(opt) == {}


@pytest.mark.parametrize("content", [Namespace(rows=slice(3)), functools.partial(print)])
def test_any_other_name_refuses_the_file(content: Any, tmp_path: Path) -> None:  # noqa: ANN401
    with pytest.raises(ExportError, match="code in a checkpoint is not run"):
        load_pickled(_saved(tmp_path, content), KNOWN)


def test_stubs_are_allowed_for_one_file_only(tmp_path: Path) -> None:
    path = _saved(tmp_path, Namespace(layers=6))
    load_pickled(path, KNOWN)
    with pytest.raises(ExportError, match="code in a checkpoint is not run"):
        load_pickled(path)
