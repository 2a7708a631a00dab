"""Reads the JSON of an index, and the addresses in it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from export.errors import InstallError
from export.installation.transfer import Transfers, is_url, local_path


def read_json(transfers: Transfers, where: str) -> Any:  # noqa: ANN401
    """The content of an index.

    Raises:
        InstallError: It cannot be read, or is no JSON.
    """
    content = transfers.read_index(where)
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InstallError(f"{where} is no JSON: it is no index ({error})") from error


@contextmanager
def expected(where: str, schema: str) -> Iterator[None]:
    """Report whatever an index lacks in one line.

    Args:
        where: URL or file of the index.
        schema: What it should be.

    Raises:
        InstallError: A field is missing or has another type.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise InstallError(f"{where} is not {schema}: {reason}") from error


def beside(where: str, location: str) -> str:
    """The address of a file that an index names relative to itself."""
    if is_url(location):
        return location
    if is_url(where):
        return urljoin(where, location)
    return str(Path(local_path(where)).parent / location)


def below(base: str, location: str) -> str:
    """The address of a file below a URL or a folder.

    Raises:
        ValueError: It would lie elsewhere.
    """
    if ".." in location.split("/") or location.startswith("/"):
        raise ValueError(f"{location!r} is no location of a file")
    return f"{base.rstrip('/')}/{location}"
