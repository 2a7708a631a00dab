"""Contributions as inseq saves them, so that its viewer opens them.

inseq (Sarti et al. 2023) writes a `FeatureAttributionOutput` as JSON whose arrays are the bytes of
a safetensors file in base64; `FeatureAttributionOutput.load` reads it back.
"""

import base64
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.inspection.values import AttentionMaps, Contributions, InspectedPair

_NO_ID = -1
"""inseq's id of a token that stands for several."""
_ALIGNMENT = 8
"""Of the data behind a safetensors header."""


def inseq_json(pairs: Iterable[InspectedPair], method: str) -> str:
    """All sentences of some texts that have contributions.

    Args:
        pairs: Inspected by another method than attention.
        method: Its name.
    """
    found = [
        _sequence(sentence.attention, sentence.attention.contributions)
        for pair in pairs
        for sentence in pair.sentences
        if sentence.attention.contributions is not None
    ]
    attributes = {
        "info": {"attribution_method": method, "attributed_fn": "probability"},
        "sequence_attributions": found,
        "step_attributions": None,
    }
    content = _instance("inseq.data.attribution", "FeatureAttributionOutput", attributes)
    return json.dumps(content, ensure_ascii=False)


def _sequence(attention: AttentionMaps, found: Contributions) -> dict[str, Any]:
    num_target = len(attention.target_tokens)
    # [prefix, generated]: a row more than there are inputs, and NaN where a token did not exist.
    prefix = np.full((num_target + 1, num_target), np.nan, np.float32)
    prefix[:num_target] = np.where(np.tri(num_target, dtype=bool).T, found.target.T, np.nan)
    probabilities = np.exp(np.array(attention.token_log_probs, np.float32))
    attributes = {
        "source": [_token(token) for token in attention.source_tokens],
        "target": [_token(t) for t in (found.prefix_tokens[0], *attention.target_tokens)],
        "source_attributions": _tensor(found.source.T),
        "target_attributions": _tensor(prefix),
        "step_scores": {"probability": _tensor(probabilities)},
        "sequence_scores": {},
        "attr_pos_start": 1,
        "attr_pos_end": num_target + 1,
    }
    return _instance("inseq.data.attribution", "CoarseFeatureAttributionSequenceOutput", attributes)


def _token(token: str) -> dict[str, Any]:
    return _instance("inseq.utils.typing", "TokenWithId", {"token": token, "id": _NO_ID})


def _instance(module: str, name: str, attributes: dict[str, Any]) -> dict[str, Any]:
    return {"__instance_type__": [module, name], "attributes": attributes}


def _tensor(values: NDArray[np.float32]) -> str:
    """The bytes of a safetensors file with one array, `attribution`, in base64."""
    data = np.ascontiguousarray(values, np.float32).tobytes()
    entry = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [0, len(data)]}
    header = json.dumps({"attribution": entry}, separators=(",", ":")).encode()
    header += b" " * (-len(header) % _ALIGNMENT)
    return base64.b64encode(len(header).to_bytes(8, "little") + header + data).decode()
