"""Explains in one line why onnxruntime cannot load a graph, and which version to install."""

import re
from collections.abc import Callable

_Match = re.Match[str]
_NODE = r'In Node, \(".*?", (?P<op>\w+), "(?P<domain>[\w.]*)", -?\d+\)'


def explain_load_error(message: str, *, installed: str, exported_with: str | None) -> str:
    """Translate an error message of onnxruntime into one line.

    Args:
        message: The message; nothing but its wording tells the reasons apart.
        installed: Installed version of onnxruntime.
        exported_with: Version that the bundle was verified with; None: unknown.
    """
    why = _reason(message)
    if why is None and not _is_older(installed, exported_with):
        return f"onnxruntime {installed} refuses it: {_first_line(message)}"
    why = why or f"refuses it: {_first_line(message)}"
    return f"onnxruntime {installed} {why}; {_remedy(installed, exported_with)}"


def _reason(message: str) -> str | None:
    for pattern, explain in _REASONS:
        if found := re.search(pattern, message, re.DOTALL):
            return explain(found)
    return None


def _operator(found: _Match) -> str:
    fields = found.groupdict()
    domain, name = fields.get("domain"), fields["op"]
    # Some messages omit the domain; an empty one is ONNX's own.
    prefix = "" if domain is None else f"{domain or 'ai.onnx'}:"
    version = f" of opset {fields['opset']}" if fields.get("opset") else ""
    return f"operator {prefix}{name}{version}"


_REASONS: tuple[tuple[str, Callable[[_Match], str]], ...] = (
    (
        r"(?P<domain>[\w.]+):(?P<op>\w+)\(-?\d+\) is not a registered",
        lambda found: f"lacks the {_operator(found)}",
    ),
    (
        _NODE + r".*No Op registered for \w+ with domain_version of (?P<opset>\d+)",
        lambda found: f"lacks the {_operator(found)}",
    ),
    (
        r"Could not find an implementation for (?P<op>\w+)\((?P<opset>\d+)\)",
        lambda found: f"cannot compute the {_operator(found)} with these types",
    ),
    (
        _NODE + r".*Unrecognized attribute: (?P<attribute>\w+)",
        lambda found: f"knows the {_operator(found)} without its attribute {found['attribute']}",
    ),
    (
        _NODE + r".*has (?P<side>input|output) size (?P<size>\d+) not in range",
        lambda found: f"knows the {_operator(found)} without {found['size']} {found['side']}s",
    ),
    (
        r"Type '(?P<type>.*?)' of input parameter \((?P<input>.*?)\) of operator \((?P<op>\w+)\)",
        lambda found: (
            f"knows the {_operator(found)} without {found['type']} as its input {found['input']}"
        ),
    ),
    (
        r"Opset (?P<wanted>\d+) is under .* domain (?P<domain>\S+) is till opset (?P<newest>\d+)",
        lambda found: (
            f"has the operators of {found['domain']} up to opset {found['newest']}, "
            f"the graph needs opset {found['wanted']}"
        ),
    ),
    (
        r"Unsupported model IR version: (?P<wanted>\d+), max supported IR version: (?P<newest>\d+)",
        lambda found: (
            f"reads graphs up to IR version {found['newest']}, this one has {found['wanted']}"
        ),
    ),
)
"""Patterns of onnxruntime's messages, and what each says about the installed version."""


def _remedy(installed: str, exported_with: str | None) -> str:
    if exported_with is None:
        return "install a newer one"
    wanted = f"the bundle was exported with onnxruntime {exported_with}"
    if _is_older(installed, exported_with):
        return f"{wanted}: install that or a newer one"
    return f"{wanted}: install that"


def _is_older(version: str, other: str | None) -> bool:
    return other is not None and _parts(version) < _parts(other)


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _first_line(message: str) -> str:
    return message.splitlines()[0] if message else "it gives no reason"
