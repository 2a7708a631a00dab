"""What can go wrong while a batch is translated.

EngineError
`-- NonFiniteLogitsError   the graph gave NaN or infinity: the weights or an input are broken
"""


class EngineError(Exception):
    """A batch that could not be translated; its sentences may still succeed one by one."""


class NonFiniteLogitsError(EngineError):
    """The decoder's best logit is NaN or infinite."""
