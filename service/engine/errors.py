"""Errors of decoding a batch.

EngineError
|-- NonFiniteSourceError   the encoder returned NaN or infinity: the weights are broken
`-- NonFiniteLogitsError   the decoder returned NaN or infinity: weights or input are broken
"""


class EngineError(Exception):
    """A batch that failed; its sentences may still succeed one by one."""


class NonFiniteSourceError(EngineError):
    """Cross-attention keys or values are NaN or infinite; a later step might hide that."""


class NonFiniteLogitsError(EngineError):
    """The best logit of a row is NaN or infinite."""
