"""The directions of an imported model: from its language tags, or from the command line."""

import re
from collections.abc import Mapping, Sequence
from itertools import product

from bundle.manifest import LanguagePair
from export.errors import ExportError

_CODE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")
_TAG = re.compile(r">>(.+)<<")


def language_code(name: str | None) -> str | None:
    """`pt_BR` -> `pt-br`; None where it is no code.

    Families of languages are in capitals, as in `ROMANCE`.
    """
    if not name or name.isupper():
        return None
    code = name.lower().replace("_", "-")
    return code if _CODE.fullmatch(code) else None


def target_tags(vocabulary: Sequence[str]) -> dict[str, str]:
    """Target languages that a piece before the source chooses: `de` -> `>>de<<`."""
    tags: dict[str, str] = {}
    for piece in vocabulary:
        found = _TAG.fullmatch(piece)
        code = language_code(found[1]) if found else None
        if code:
            tags.setdefault(code, piece)
    return tags


def directions(
    sources: Sequence[str], targets: Sequence[str], tags: Mapping[str, str]
) -> tuple[LanguagePair, ...]:
    """Every source language into every target language.

    Args:
        sources: Codes.
        targets: Codes; none: all languages with a tag.
        tags: Of a multilingual model; see `target_tags`.

    Raises:
        ExportError: A language is missing, no code, or none of the model's.
    """
    targets = targets or tuple(tags)
    faults = [
        f"--{side} says which: the checkpoint does not"
        for side, languages in (("source", sources), ("target", targets))
        if not languages
    ]
    codes = {name: language_code(name) for name in (*sources, *targets)}
    faults += [
        f"{name!r} is no language code such as en or pt-br"
        for name, code in codes.items()
        if not code
    ]
    unknown = [target for target in targets if tags and codes[target] not in tags]
    if unknown and not faults:
        faults.append(
            f"the model does not translate into {', '.join(unknown)}, but into {', '.join(tags)}"
        )
    if faults:
        raise ExportError("; ".join(faults))
    pairs = dict.fromkeys(  # each once, also where a language is named twice or in two spellings
        LanguagePair(source=source, target=target, source_prefix=tags.get(target))
        for source, target in product(map(codes.get, sources), map(codes.get, targets))
        if source and target and source != target
    )
    if not pairs:
        raise ExportError(f"{', '.join(targets)} is source and target: no direction is left")
    return tuple(pairs)
