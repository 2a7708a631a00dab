"""What can go wrong while a batch is translated.

EngineError
|-- NonFiniteSourceError   the encoder gave NaN or infinity: the weights are broken
`-- NonFiniteLogitsError   the decoder gave NaN or infinity: the weights or an input are broken
"""


class EngineError(Exception):
    """A batch that could not be translated; its sentences may still succeed one by one."""


class NonFiniteSourceError(EngineError):
    """What is to be attended to has NaN or infinity in it, which a later step may swallow."""


class NonFiniteLogitsError(EngineError):
    """The decoder's best logit is NaN or infinite."""
